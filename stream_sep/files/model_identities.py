"""The weights of a model when it was last loaded, so that its cached stems are found without loading it."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from stream_sep.files.stream_pass import model_files_of
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators import is_known

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.files.settings import SeparationSettings

_NAME = "models.json"
_MAX_ENTRIES = 64


class ModelIdentityCache:
    """Identities of models, by their files.

    Args:
        folder: the folder of the cache of stems.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def get(self, settings: SeparationSettings) -> str | None:
        """Return the identity of the model of settings, if nothing has changed since it was loaded."""
        return self._read().get(_settings_hash(settings))

    def put(self, settings: SeparationSettings, identity: str) -> None:
        """Store an identity; if that cannot be written, the model is loaded the next time.

        Args:
            settings: of the separation.
            identity: the model's cache key.
        """
        known, name = self._read(), _settings_hash(settings)
        if known.get(name) == identity:
            return
        newest = dict([*known.items(), (name, identity)][-_MAX_ENTRIES:])
        with suppress(OSError):
            atomic_write(self._path, json.dumps(newest).encode())

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def bundled_version() -> str:
    """Return the version of this package, which is that of the bundled weights."""
    return version("stream-sep")


def _settings_hash(settings: SeparationSettings) -> str:
    files = []
    if settings.repo is not None:
        with suppress(OSError):
            found = [(path.name, path.stat()) for path in sorted(settings.repo.iterdir())]
            files = [(name, fact.st_size, fact.st_mtime_ns) for name, fact in found]
    for file in model_files_of(settings):
        with suppress(OSError):
            fact = file.stat()
            files.append((file.name, fact.st_size, fact.st_mtime_ns))
    facts: list[object] = [settings.fingerprint(), str(settings.repo), files]
    if is_known(settings.model) and settings.model != "demucs" and not model_files_of(settings):
        facts.append(bundled_version())
    text = json.dumps(facts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
