"""Names of files that are not complete yet, and the removal of those that killed processes left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.files.formats import FORMATS
from stream_sep.files.output_record import recorded_names
from stream_sep.lowlevel.atomic_file import remove_stale

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.files.formats import AudioFormat


RAW = "raw.part.wav"
"""Ending of sound whose level is decided at its end."""

TAGGED = "tagged.part"
"""Ending of a copy for tagging."""

ENDINGS = (RAW, TAGGED, *(f"part.{name}" for name in (*FORMATS, "mp4")))
"""Endings of all files that are not complete yet."""


def part_path(target: Path, format: AudioFormat) -> Path:  # noqa: A002 - libsndfile's word
    """Return the path of a file's sound until it is complete; with ``stream``, it can be read there.

    Args:
        target: the finished file.
        format: its format.

    >>> from pathlib import Path
    >>> from stream_sep.files.formats import AudioFormat
    >>> part_path(Path("song/vocals.wav"), AudioFormat("wav")).name
    'vocals.part.wav'
    """
    return beside(target, f"part.{format.name}")


def beside(target: Path, ending: str) -> Path:
    """Return a path with the target's name but its suffix replaced.

    Args:
        target: a file.
        ending: the new suffix.
    """
    return target.with_name(f"{target.name.removesuffix(target.suffix)}.{ending}")


def sweep_outputs(folder: Path) -> list[Path]:
    """Delete partial files of killed processes, in a folder and all below it.

    Files that a running process writes stay, as does every finished file.

    Returns:
        The files that were deleted.
    """
    parts = [path for path in folder.rglob("*.part*") if path.name.endswith(tuple(f".{e}" for e in ENDINGS))]
    finished = {each: recorded_names(each) for each in {path.parent for path in parts}}  # a song may be called so
    return remove_stale(sorted(path for path in parts if path.name not in finished[path.parent]))
