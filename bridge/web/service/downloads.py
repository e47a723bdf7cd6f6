"""Downloads: one stem in any format, all as a zip, a stem file for DJ software."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import soundfile
from starlette.responses import FileResponse, StreamingResponse

from bridge.web.problems import Problem
from bridge.web.service.disk import make_room_for_copy, max_bytes
from bridge.web.service.files import SOURCE, replace_reserved
from bridge.web.service.slots import Slots
from stream_sep.errors import AudioFileError
from stream_sep.files import stem_mp4
from stream_sep.files.formats import AudioFormat
from stream_sep.files.output_file import OutputFile
from stream_sep.files.stored_stems import pack_stems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bridge.web.service.context import Service
    from bridge.web.service.tables import Song

Responses: TypeAlias = dict[int | str, dict[str, Any]]
"""Descriptions of an operation's responses by status, as FastAPI takes them."""

FILE: Responses = {
    200: {"content": {"audio/*": {}}, "description": "a file"},
    206: {"content": {"audio/*": {}}, "description": "the bytes requested with Range"},
}
ZIP: Responses = {200: {"content": {"application/zip": {}}, "description": "a zip"}}

MISSING = "missing.txt"
_BLOCK = 1 << 16
_READ = 1 << 18
_TYPES = {
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".mp4": "audio/mp4",
    ".zip": "application/zip",
}
_CONVERTING = Slots(1, 8)  # one at a time: encoding uses a core, the others are for separation


def attachment(path: Path, name: str) -> FileResponse:
    """Return a file to be saved, with byte ranges and its name in RFC 6266's form.

    Args:
        path: the file.
        name: name of the saved file.
    """
    kind = _TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, media_type=kind, headers={**disposition(name), "Cache-Control": "private, no-cache"})


def disposition(name: str) -> dict[str, str]:
    r"""Return the header for a file name with any characters.

    >>> print(disposition('Ça "va".flac')["Content-Disposition"])
    attachment; filename="_a _va_.flac"; filename*=UTF-8''%C3%87a%20_va_.flac
    """
    safe = replace_reserved(name)
    plain = "".join(letter if letter.isascii() else "_" for letter in safe)
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe='')}"}


def stem_path(service: Service, song: Song, stem: str, form: str) -> Path:
    """Return the file of a stem in a format, converted now if it is not there; such copies are deleted after a day.

    Args:
        service: the service.
        song: the song.
        stem: name of the stem.
        form: the format.

    Raises:
        Problem: the stems are not complete yet, there is no such stem, too many wait for a conversion, or the
            disk is full.
    """
    if song.job_id is None:
        raise not_whole()
    if stem not in song.stems:
        raise Problem(
            404, "no-such-stem", f"This song has no stem {stem[:40]!r}.", f"It has: {', '.join(song.stems)}."
        )
    original = service.data.stems(song.id, song.job_id) / f"{stem}.flac"
    if form == "flac":
        return original
    target = service.data.derived(song.job_id) / f"{stem}.{form}"
    if target.is_file():
        return target
    with _CONVERTING.taken():
        if not target.is_file():
            make_room_for_copy(service, target.parent, max_bytes(song.frames))
            _convert(original, target, AudioFormat(form))
    return target


def stem_file_path(service: Service, song: Song) -> Path:
    """Return the song as a ``.stem.mp4``, made now if it is not there.

    Args:
        service: the service.
        song: the song.

    Raises:
        Problem: the stems are not complete yet, the format has other stems, ffmpeg is missing, too many wait for a
            conversion, or the disk is full.
    """
    if song.job_id is None:
        raise not_whole()
    if not set(stem_mp4.STEMS) <= set(song.stems):
        raise Problem(
            409, "other-stems", f"A stem file has {', '.join(stem_mp4.STEMS)}.", "Separate with another model."
        )
    folder, source = service.data.stems(song.id, song.job_id), service.data.song(song.id) / SOURCE
    target = service.data.derived(song.job_id) / "stems.stem.mp4"
    if target.is_file():
        return target
    with _CONVERTING.taken():
        if not target.is_file():
            make_room_for_copy(service, target.parent, len(stem_mp4.STEMS) * max_bytes(song.frames))
            stems = {stem: folder / f"{stem}.flac" for stem in stem_mp4.STEMS}
            try:
                pack_stems(stems, source, target, tags_from=source)
            except AudioFileError as error:
                raise Problem(501, "no-ffmpeg", "This server cannot write stem files.", "It needs ffmpeg.") from error
    return target


def zip_response(entries: Iterable[tuple[str, Path | bytes]], name: str) -> StreamingResponse:
    """Return files as one zip, streamed.

    Args:
        entries: names, and paths or contents.
        name: name of the saved file.
    """
    return StreamingResponse(zipped(entries), media_type="application/zip", headers=disposition(name))


def not_whole() -> Problem:
    """Return the problem for stems that are not complete yet."""
    return Problem(
        409,
        "not-separated",
        "This song is not separated yet.",
        "Wait until it is ready.",
        headers={"Retry-After": "5"},
    )


def _convert(source: Path, target: Path, form: AudioFormat) -> None:
    with (
        soundfile.SoundFile(source) as sound,
        OutputFile(target, sound.samplerate, sound.frames, form, stream=False) as file,
    ):
        for block in sound.blocks(_BLOCK, dtype="float32", always_2d=True):
            file.write(block.T)
        file.finish(1.0)
        file.commit()


class _Pipe:
    """A file object for `zipfile` whose bytes are taken out while it writes."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes, bytearray or memoryview
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data


def zipped(entries: Iterable[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """Yield the bytes of a zip, uncompressed, as audio does not get smaller; its length does not matter.

    Files that are not there, as when a song is deleted meanwhile, are listed in a last entry, `MISSING`.

    Args:
        entries: names, and paths or contents.
    """
    pipe, missing = _Pipe(), []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload] # zipfile needs no seek
        for name, content in entries:
            try:
                file = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
            except FileNotFoundError:
                missing.append(name)
                continue
            with file, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                while data := file.read(_READ):
                    entry.write(data)
                    yield pipe.take()
        if missing:
            archive.writestr(zipfile.ZipInfo(MISSING), "\n".join([*missing, ""]))
    yield pipe.take()
