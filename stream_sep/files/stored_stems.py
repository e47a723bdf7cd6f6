"""Existing stem files, mixed into one or packed into a stem file, without a model."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.control.levels import db_to_gain
from stream_sep.control.mix_snapshot import balance
from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.files.disk_space import check_room
from stream_sep.files.finished_files import room_for_files
from stream_sep.files.output_file import OutputFile
from stream_sep.files.sound_file import open_sound
from stream_sep.files.stem_mp4 import STEMS, write_stem_file
from stream_sep.files.tags import keep_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.files.formats import AudioFormat
    from stream_sep.protocols import Block

_BLOCK = 1 << 16
_KBPS = 256  # of each stream of a stem file


def render_mix(
    stem_files: Mapping[str, Path],
    target: Path,
    format: AudioFormat,  # noqa: A002 - libsndfile's word
    *,
    gains_db: Mapping[str, float] | None = None,
    pans: Mapping[str, float] | None = None,
    first: int = 0,
    last: int | None = None,
    tags_from: Path | None = None,
    report: Callable[[float], None] = lambda _: None,
) -> list[str]:
    """Mix stored stems into one file, as faders and pans would.

    Args:
        stem_files: the stems, files of one rate and one length, mono or stereo.
        target: the file to write; it appears when complete.
        format: its audio format; a stem file cannot hold a mix.
        gains_db: of the stems, 0 dB for those that are not named; -90 dB is silence.
        pans: of the stems, -1 left to 1 right, as `balance` takes them.
        first: frame of the stems with which the mix begins.
        last: the frame after the last one; the end of the stems unless given.
        tags_from: a file whose title, artist and cover the mix gets.
        report: callback that receives the share that is done, 0 to 1, and may raise `Cancelled`.

    Returns:
        Messages about changes, such as how far the mix was attenuated.

    Raises:
        ConfigError: an unknown stem, or frames outside the stems.
        AudioFileError: a file cannot be read or written.
    """
    if format.name == "stem.mp4":
        raise ConfigError("a stem file holds stems, not a mix; take wav, flac, mp3 or ogg")
    gains = _gains(stem_files, gains_db or {}, pans or {})
    with ExitStack() as stack:
        opened = {name: stack.enter_context(_open(path)) for name, path in stem_files.items()}
        rate, end = _common(opened, first, last)
        if format.rate_for(rate) != rate:
            raise ConfigError(f"{format.name} cannot hold {rate} Hz; take wav, flac or ogg")
        check_room(target.parent, room_for_files(format, 1, end - first))
        file = stack.enter_context(OutputFile(target, rate, end - first, format, stream=False))
        done = 0
        for block in _mixed(opened, gains, first, end):
            file.write(block)
            done += block.shape[1]
            report(done / (end - first))
        notes = _finish(file, tags_from, format)
        file.commit()
    return notes


def pack_stems(stem_files: Mapping[str, Path], mix: Path, target: Path, *, tags_from: Path) -> None:
    """Write a stem file (``.stem.mp4``) of stored stems.

    Args:
        stem_files: the four stems of `stem_mp4.STEMS`, audio files of any kind.
        mix: the sound of the whole song, which is the file's first stream.
        target: the file to write; it appears when complete.
        tags_from: the file whose title, artist and cover it gets.

    Raises:
        ConfigError: a stem is missing.
        AudioFileError: ffmpeg is missing or fails, or the file cannot be written.
    """
    missing = [name for name in STEMS if name not in stem_files]
    if missing:
        raise ConfigError(f"a stem file holds {', '.join(STEMS)}; {', '.join(missing)} is missing")
    write_stem_file([mix, *(stem_files[name] for name in STEMS)], tags_from, target, _KBPS)


def _gains(
    stem_files: Mapping[str, Path], gains_db: Mapping[str, float], pans: Mapping[str, float]
) -> dict[str, NDArray[np.float32]]:
    """Return the gains of each stem, ``(2, 1)``."""
    unknown = sorted({*gains_db, *pans} - {*stem_files})
    if unknown:
        raise ConfigError(f"there is no stem {unknown[0]!r}; there are: {', '.join(stem_files)}")
    result = {}
    for name in stem_files:
        sides = np.array(balance(float(pans.get(name, 0.0))), np.float32)
        result[name] = (np.float32(db_to_gain(float(gains_db.get(name, 0.0)))) * sides)[:, None]
    return result


def _open(path: Path) -> soundfile.SoundFile:
    try:
        return open_sound(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(f"cannot read {path}: {reason(error)}") from error


def _common(opened: Mapping[str, soundfile.SoundFile], first: int, last: int | None) -> tuple[int, int]:
    """Return the rate of all files, and the frame after the last one to mix."""
    kinds = {(file.samplerate, file.frames) for file in opened.values()}
    if len(kinds) != 1:
        found = ", ".join(f"{name} {file.frames} at {file.samplerate} Hz" for name, file in opened.items())
        raise ConfigError(f"stems to mix are of one length and rate, not: {found or 'none'}")
    ((rate, frames),) = kinds
    end = frames if last is None else last
    if not 0 <= first < end <= frames:
        raise ConfigError(f"frames {first} to {end} are not in stems of {frames} frames")
    return rate, end


def _mixed(
    opened: Mapping[str, soundfile.SoundFile], gains: Mapping[str, NDArray[np.float32]], first: int, end: int
) -> Iterator[Block]:
    for file in opened.values():
        file.seek(first)
    for at in range(first, end, _BLOCK):
        frames = min(_BLOCK, end - at)
        total: Block = np.zeros((2, frames), np.float32)
        for name, file in opened.items():
            sound = file.read(frames, dtype="float32", always_2d=True)
            if len(sound) != frames:
                raise AudioFileError(f"cannot read {file.name} to its end; separate the song again")
            total += gains[name] * sound[:, [0, -1]].T
        yield total


def _finish(file: OutputFile, tags_from: Path | None, format: AudioFormat) -> list[str]:  # noqa: A002 - as above
    notes = []
    if file.gain < 1.0:
        notes.append(f"{file.target.name} is {-20 * np.log10(file.gain):.1f} dB down, so that it is not cut")
    file.finish(file.gain)
    if tags_from is not None:
        song = tags_from
        file.rewrite(lambda sound, target: keep_tags(song, sound, target, format))
    return notes
