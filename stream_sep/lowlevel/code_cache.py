"""The cache of compiled code between runs: the user's cache folder, else one in the temporary folder, else none.

Numba's default, beside the sources, fails where the package is installed read-only for a user without a home (a
container, a service), and leaves files behind when the package is uninstalled.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba.core import caching, config, event

from stream_sep.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)
_SUBFOLDER = "compiled"
_COMPILED_PACKAGES = ("lowlevel", "audio", "backends", "engine", "separators", "training/data")
_STALE_SECONDS = 30 * 86400
_DIGEST_BYTES = 8
_DIGEST = re.compile(f"[0-9a-f]{{{2 * _DIGEST_BYTES}}}")


def code_folders() -> tuple[Path, ...]:
    """Return the possible folders for machine code, the best first; they may not exist yet.

    The environment variable ``NUMBA_CACHE_DIR`` overrides them.
    """
    return tuple(folder / _sources_digest() for folder in _roots())


def _roots() -> tuple[Path, ...]:
    if config.CACHE_DIR:
        return (Path(config.CACHE_DIR),)
    folders = []
    with suppress(ImportError):  # a machine that only trains may lack platformdirs
        folders = [cache_folder() / _SUBFOLDER]
    return (*folders, _temporary_folder())


@cache
def _sources_digest() -> str:
    """Return a digest of all sources that are compiled.

    Numba compares the date of one file only. Without the digest, it would load code that inlined an older version of
    another file, or fail on types that have been renamed.
    """
    root = Path(__file__).parents[2]
    files = [root / "bridge" / "midi" / "jack_callback.py"]
    for package in _COMPILED_PACKAGES:
        files += sorted((root / "stream_sep" / package).rglob("*.py"))
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for file in files:
        with suppress(OSError):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def remove_stale_code() -> None:
    """Delete compiled code of other versions that has not been used for a month."""
    for folder in code_folders():
        with suppress(OSError):
            os.utime(folder)  # touch would make a file where there is no folder
            for other in folder.parent.iterdir():
                is_ours = other != folder and _DIGEST.fullmatch(other.name)  # other files may be there too
                if is_ours and time.time() - other.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(other, ignore_errors=True)


def keep_code(compiled: Any) -> Any:  # noqa: ANN401 - a dispatcher or C function of Numba
    """Make ``compiled`` load its machine code from disk, or write it there; return it.

    If no folder can be written, every process compiles again, and logs that once.
    """
    function = getattr(compiled, "py_func", None) or compiled._pyfunc  # noqa: SLF001 - a CFunc offers no other name
    try:
        compiled._cache = _CodeCache(function)  # noqa: SLF001 - as Numba's enable_caching does
    except RuntimeError:
        _warn_once()
    return compiled


def on_first_compile(report: Callable[[], None]) -> None:
    """Call ``report`` when this process first compiles a function, rather than load its machine code from disk."""
    event.register("numba:compile", _FirstCompile(report))


class _FirstCompile(event.Listener):  # type: ignore[misc] # Numba ships no types
    def __init__(self, report: Callable[[], None]) -> None:
        self._report, self._reported = report, False

    def on_start(self, event: Any) -> None:  # noqa: ANN401 - Numba's own type
        del event
        if not self._reported:
            self._reported = True
            self._report()

    def on_end(self, event: Any) -> None:  # noqa: ANN401 - as above
        pass


class _Locator(caching.UserWideCacheLocator):  # type: ignore[misc] # Numba ships no types
    """Finds the first of `code_folders` that can be written."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator | None:  # noqa: ANN401 - as above
        if not Path(py_file).exists():
            return None
        for folder in code_folders():
            locator = cls(py_func, py_file)
            locator._cache_path = str(folder / cls.get_suitable_cache_subpath(py_file))
            try:
                if folder.parent == _temporary_folder():
                    _make_private(folder.parent)
                locator.ensure_cache_path()
            except OSError:
                continue
            return locator
        return None


class _CodeCacheImpl(caching.CompileResultCacheImpl):  # type: ignore[misc] # Numba ships no types
    _locator_classes = (_Locator,)


class _CodeCache(caching.FunctionCache):  # type: ignore[misc] # Numba ships no types
    _impl_class = _CodeCacheImpl


def _temporary_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "user"  # on Windows, every user has a temporary folder
    return Path(tempfile.gettempdir()) / f"stream-sep-{user}" / _SUBFOLDER


def _make_private(folder: Path) -> None:
    """Create a folder and its parent for this user alone, as the code in it is executed.

    Raises:
        OSError: it cannot be created, or another user could have put code into it.
    """
    for place in (folder.parent, folder):
        place.mkdir(exist_ok=True, mode=0o700)
        status = place.lstat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077):
            raise PermissionError(f"{place} belongs to another user, or others may write to it")


def _warn_once() -> None:
    global _warned  # noqa: PLW0603 - once a process, whichever module is imported first
    if not _warned:
        _warned = True
        _log.warning(
            "cannot write compiled code to %s, so every start compiles for about 20 s; "
            "set NUMBA_CACHE_DIR to a folder that can be written",
            " or ".join(map(str, code_folders())),
        )


_warned = False
