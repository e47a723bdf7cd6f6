"""Where presets and controller maps that ship lie: in a wheel inside the package, in a checkout beside it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def shipped_folder() -> Traversable:
    """Return the folder of the presets that ship; their folder ``midi`` holds the maps.

    >>> (shipped_folder() / "midi" / "generic.toml").is_file()
    True
    """
    installed = resources.files("stream_sep") / "assets" / "presets"
    return installed if installed.is_dir() else Path(__file__).parent.parent.parent / "presets"
