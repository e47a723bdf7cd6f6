"""The last steps of a song: levels, tags, names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.files.stem_mp4 import write_stem_file
from stream_sep.files.tags import find_tags, keep_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stream_sep.files.formats import AudioFormat
    from stream_sep.files.job import SeparationJob
    from stream_sep.files.output_file import OutputFile
    from stream_sep.files.song import Song
    from stream_sep.files.stem_mixes import StemMix

_FLOAT_FRAME = 8
_MIN_CUT_DB = 0.01


def finish_files(
    job: SeparationJob,
    song: Song,
    targets: Sequence[Path],
    files: Sequence[OutputFile],
    *,
    report: Callable[[], None],
    notes: list[str],
) -> None:
    """Attenuate all files together if one would clip, tag them, and rename them to their final names.

    Args:
        job: the job.
        song: their source.
        targets: their names.
        files: the files, all written.
        report: called between steps, and may raise `Cancelled`.
        notes: receives a message about every change of level.

    Raises:
        AudioFileError: one cannot be written.
    """
    gain = min(file.gain for file in files)
    if gain < 1.0:
        which = f"all stems of {song.path} are" if len(files) > 1 else f"{targets[0].name} of {song.path} is"
        notes.append(f"{which} {-20 * np.log10(gain):.1f} dB down, so that none is cut; --bits 32 keeps the level")
    notes += [
        f"{file.target.name} was {file.cut_db:.1f} dB over full scale, and is cut there; --bits 32 does not cut"
        for file in files
        if file.cut_db > _MIN_CUT_DB
    ]
    for file in files:
        report()
        file.finish(gain)
    tagged, note = find_tags(song) if job.tags else (False, "")
    notes += [note] if note else []
    if job.format.name == "stem.mp4":
        report()
        write_stem_file([file.part for file in files], song.path if job.tags else None, targets[0], job.format.kbps)
        return
    for file in files:
        if tagged:
            report()
            file.rewrite(lambda sound, target: keep_tags(song.path, sound, target, job.format))
    for file in files:
        file.commit()


def parts_beside(targets: Sequence[Path], format: AudioFormat, mixes: Sequence[StemMix]) -> tuple[Path, ...]:  # noqa: A002 - libsndfile's word
    """Return the files to write sound to: the targets, or, for a stem file, one beside it for each of its streams.

    Args:
        targets: the files by stem.
        format: their format.
        mixes: mixes of stems, if any.
    """
    if format.name != "stem.mp4":
        return tuple(targets)
    return tuple(targets[0].with_name(f"{targets[0].name}.{mix.name}.wav") for mix in mixes)


def room_for_files(format: AudioFormat, files: int, frames: int) -> int:  # noqa: A002 - as above
    """Return the disk space for so many files of so many frames while they are written.

    Args:
        format: their format.
        files: how many.
        frames: frames of each.

    >>> from stream_sep.files.formats import AudioFormat
    >>> room_for_files(AudioFormat("wav", 16), files=4, frames=1000)
    36000
    """
    held = format.bits // 4 if format.name in {"wav", "flac"} else _FLOAT_FRAME // 2
    if format.name == "stem.mp4" or (format.clip_mode == "rescale"):
        return (files * _FLOAT_FRAME + held) * frames
    return (files + 1) * held * frames
