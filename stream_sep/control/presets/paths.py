"""The folder of bundled presets and controller maps: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SUFFIX = ".toml"


def shipped_folder() -> Traversable:
    """Return the folder of bundled TOML: ``mixes``, controller maps in ``midi``, configs in ``training``.

    >>> (shipped_folder() / "midi" / "generic.toml").is_file()
    True
    """
    installed = resources.files("stream_sep") / "assets" / "presets"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "presets"


def named_files(folder: Traversable) -> dict[str, Traversable]:
    """Return the TOML files of a folder by name, sorted, without hidden ones; none if the folder is missing.

    Raises:
        OSError: the folder cannot be read.

    >>> "karaoke" in named_files(shipped_folder() / "mixes")
    True
    """
    files = sorted(folder.iterdir(), key=lambda file: file.name) if folder.is_dir() else []
    seen = (file for file in files if file.name.endswith(SUFFIX) and not file.name.startswith("."))
    return {file.name.removesuffix(SUFFIX): file for file in seen}
