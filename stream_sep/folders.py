"""The user's folders, both called ``stream-sep``: one for settings, one for caches."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME, _OLD_NAME = "stream-sep", "stream_sep"


def config_folder() -> Path:
    """Return the folder of the user's settings, presets and MIDI maps, which may not exist yet.

    A folder of the older name ``stream_sep`` is moved there first.

    >>> config_folder().name
    'stream-sep'
    """
    import platformdirs  # noqa: PLC0415 - a machine that only trains may lack it

    folder = platformdirs.user_config_path(_NAME, appauthor=False)
    _adopt(platformdirs.user_config_path(_OLD_NAME, appauthor=False), folder)
    return folder


def cache_folder() -> Path:
    r"""Return the folder of cached stems and compiled code, which may not exist yet.

    On Windows, a folder of the older name ``stream-sep\stream-sep`` is moved there first.
    """
    import platformdirs  # noqa: PLC0415 - a machine that only trains may lack it

    folder = platformdirs.user_cache_path(_NAME, appauthor=False)
    _adopt(platformdirs.user_cache_path(_NAME), folder)
    return folder


def is_reachable(folder: Path) -> bool:
    """Return whether a folder exists or can be created; it cannot where the user has no home, or no access to it.

    >>> from pathlib import Path
    >>> is_reachable(Path("/dev/null/home")), is_reachable(Path("not there yet"))
    (False, True)
    """
    try:
        folder.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _adopt(old: Path, new: Path) -> None:
    """Move the contents of ``old`` into ``new`` without overwriting; files that cannot be moved stay."""
    with suppress(OSError):
        if old == new or not old.is_dir() or old.is_symlink():
            return
        new.mkdir(parents=True, exist_ok=True)
        for entry in old.iterdir():
            if not (new / entry.name).exists():
                entry.rename(new / entry.name)
        old.rmdir()  # fails, as it should, where something was left
