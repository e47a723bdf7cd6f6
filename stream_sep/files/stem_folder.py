"""Songs on disk with their stems: in MUSDB18's stem files, or as a folder of one file per stem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIXES = (".wav", ".flac", ".aiff", ".aif", ".ogg", ".opus", ".m4a", ".mp3")
"""Sound files that are looked for, the first first."""

STEM_FILE_STREAMS = {"vocals": 4, "drums": 1, "bass": 2, "other": 3}
"""Stream indices of the stems in a ``.stem.mp4``; stream 0 is the mix, which is not always their sum."""


def stems_in(folder: Path, stems: Sequence[str] = STEMS) -> dict[str, Path]:
    """Return the stems in a folder, by the names of their files in letters of either case; none if it is no folder.

    Args:
        folder: one song.
        stems: the names that are looked for.
    """
    paths = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    there = {path.name.lower(): path for path in paths if path.is_file()}
    found = {stem: [there[name] for suffix in SUFFIXES if (name := f"{stem}{suffix}") in there] for stem in stems}
    return {stem: files[0] for stem, files in found.items() if files}
