"""Native Instruments' stem files (``.stem.mp4``): the song and four stems in one file that DJ software loads.

The file is an MPEG-4 container with five stereo streams, the song first, and a box ``moov/udta/stem`` that holds
names, colours and a mastering chain as JSON (https://www.stems-music.com).
"""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, BinaryIO

from stream_sep.errors import AudioFileError
from stream_sep.files.ffmpeg import input_arguments, probe_streams, run_ffmpeg
from stream_sep.files.output_file import cannot_write
from stream_sep.files.tags import cover_stream, metadata_arguments
from stream_sep.lowlevel.atomic_file import FileClaim
from stream_sep.protocols import stem_color

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STEMS = ("drums", "bass", "other", "vocals")
"""The order of the stems in the file, behind the song."""

_COMPRESSOR = {
    "enabled": False,
    "ratio": 3,
    "output_gain": 0.5,
    "release": 0.3,
    "attack": 0.003,
    "input_gain": 0.5,
    "threshold": 0,
    "hp_cutoff": 300,
    "dry_wet": 50,
}
_LIMITER = {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35}


def write_stem_file(parts: Sequence[Path], song: Path | None, target: Path, kbps: int) -> None:
    """Write the song and its stems as one file, which appears when complete.

    Args:
        parts: the sound of the song, then the stems in the order of `STEMS`: audio files of any kind, of one length.
        song: the file whose tags and cover it gets, if any.
        target: the file to write.
        kbps: kilobits per second of each of its streams.

    Raises:
        AudioFileError: ffmpeg is missing or fails, or the file cannot be written.
        FileInUseError: another process is writing the same file.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        claim = FileClaim(target.with_name(f"{target.name}.part.mp4"))
    except OSError as error:
        raise cannot_write(target, error) from error
    with claim:
        _write_streams(parts, song, claim.path, kbps)
        add_stem_box(claim.path)
        try:
            claim.rename(target)
        except OSError as error:
            raise cannot_write(target, error) from error


def _write_streams(parts: Sequence[Path], song: Path | None, target: Path, kbps: int) -> None:
    sources = [argument for part in parts for argument in input_arguments(part)]
    streams = [argument for index in range(len(parts)) for argument in ("-map", f"{index}:a")]
    tags = [] if song is None else _tags_of(song, len(parts))
    tagged = [] if song is None else input_arguments(song)
    first = ["-disposition:a", "0", "-disposition:a:0", "default", "-map_chapters", "-1"]
    sound = ["-c:a", "aac", "-b:a", f"{min(kbps, 256)}k", "-f", "mp4"]
    run_ffmpeg([*sources, *tagged, *streams, *tags, *first, *sound, f"file:{target}"])


def _tags_of(song: Path, source: int) -> list[str]:
    facts = probe_streams(song)
    number = cover_stream(facts)
    picture = [] if number is None else ["-map", f"{source}:{number}", "-c:v", "copy"]
    disposition = [] if number is None else ["-disposition:v:0", "attached_pic"]
    return [*picture, *disposition, *metadata_arguments(facts, song, source, "stem.mp4")]


def add_stem_box(path: Path) -> None:
    """Add the box that makes a file of five streams a stem file.

    Raises:
        AudioFileError: the file is not laid out as ffmpeg does, its index last.
    """
    with path.open("r+b") as file:
        boxes = list(_boxes_of(file))
        if not boxes or boxes[-1][0] != b"moov":
            raise AudioFileError(f"{path} does not end in its index, so that no stem box can be added")
        start, end = boxes[-1][1:]
        file.seek(start + 8)
        index = file.read(end - start - 8)
        held = [index[at:to] for name, at, to in _boxes(index) if name != b"udta"]
        user = b"".join(index[at + 8 : to] for name, at, to in _boxes(index) if name == b"udta")
        described = _box(b"stem", json.dumps(_description(), separators=(",", ":")).encode())
        file.seek(start)
        file.write(_box(b"moov", b"".join(held) + _box(b"udta", user + described)))


def read_stem_box(path: Path) -> dict[str, object]:
    """Return the JSON of a stem file's box.

    Raises:
        AudioFileError: there is none.
    """
    with path.open("rb") as file:
        start, end = next(((at, to) for name, at, to in _boxes_of(file) if name == b"moov"), (0, 0))
        file.seek(start)
        data = file.read(end - start)[8:]
    for name in (b"udta", b"stem"):
        data = next((data[at + 8 : to] for kind, at, to in _boxes(data) if kind == name), b"")
    if not data:
        raise AudioFileError(f"{path} has no stem box; it is not a stem file")
    found: dict[str, object] = json.loads(data)
    return found


def _description() -> dict[str, object]:
    stems = [{"name": name.capitalize(), "color": stem_color(name)} for name in STEMS]
    return {"mastering_dsp": {"compressor": _COMPRESSOR, "limiter": _LIMITER}, "version": 1, "stems": stems}


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    return _boxes_of(io.BytesIO(data))


def _boxes_of(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and end of every top-level box."""
    start, end = 0, file.seek(0, io.SEEK_END)
    while start + 8 <= end:
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
        size = size or end - start
        if size < 8 or start + size > end:
            return
        yield name, start, start + size
        start += size


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body
