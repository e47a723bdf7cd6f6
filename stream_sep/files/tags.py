"""The song's title, artist and cover, for the files made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import soundfile

from stream_sep.errors import AudioFileError
from stream_sep.files.ffmpeg import INSTALL, extract_stream, has_ffmpeg, input_arguments, probe_streams, run_ffmpeg
from stream_sep.files.sound_file import open_sound

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.files.formats import AudioFormat
    from stream_sep.files.song import Song

_TECHNICAL = {"encoder", "major_brand", "minor_version", "compatible_brands", "creation_time", "duration"}
_WITH_COVER = {"flac", "mp3", "stem.mp4"}
_OGG = {".ogg", ".opus", ".oga"}
_PICTURES = {"bmp", "gif", "mjpeg", "png", "webp"}
_MAX_PIXELS = 50_000_000  # of a cover that is decoded: 200 MB
_MAX_SIDE = 512  # of a cover, in pixels; smaller ones keep their size
_COVER_QUALITY = 3  # of mjpeg: 2 is the best, 31 the worst


@dataclass(frozen=True)
class Tags:
    """The tags of a song.

    Attributes:
        title: of the song.
        artist: who plays it.
        album: where it is from.
        cover: a picture, the bytes of a file of any kind, or None.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    cover: bytes | None = None


def read_tags(path: Path) -> Tags:
    """Return the tags of a file; empty ones where it has none, or where ffmpeg would be needed and is missing.

    Raises:
        AudioFileError: the file cannot be read.
    """
    if not has_ffmpeg():
        return _libsndfile_tags(path)
    facts = probe_streams(path)
    found: dict[str, str] = {}
    for holder in (*facts.get("streams", []), facts["format"]):
        found |= {name.lower(): str(value) for name, value in holder.get("tags", {}).items()}
    texts = [found.get(name, "").strip() for name in ("title", "artist", "album")]
    number = cover_stream(facts)
    return Tags(texts[0], texts[1], texts[2], None if number is None else extract_stream(path, number))


def cover_stream(facts: dict[str, Any]) -> int | None:
    """Return the number of the stream that is a picture, not a film, from the output of `probe_streams`, or None."""
    for stream in facts.get("streams", []):
        if stream.get("codec_type") == "video" and stream.get("disposition", {}).get("attached_pic"):
            return int(stream["index"])
    return None


def write_cover(song: Path, target: Path) -> bool:
    """Write the cover of a song as a JPEG: decoded and encoded again, so that nothing else in it is copied.

    Args:
        song: the file with the cover.
        target: the file to write.

    Returns:
        Whether there is one, of a common type and not too large; False also without ffmpeg.

    Raises:
        AudioFileError: the song or its cover cannot be read.
    """
    if not has_ffmpeg():
        return False
    facts = probe_streams(song)
    number = cover_stream(facts)
    codecs = {stream["index"]: stream.get("codec_name") for stream in facts.get("streams", [])}
    if number is None or codecs[number] not in _PICTURES:
        return False
    scale = f"scale='min({_MAX_SIDE},iw)':'min({_MAX_SIDE},ih)':force_original_aspect_ratio=decrease"
    limits = ["-threads", "1", "-max_pixels", str(_MAX_PIXELS)]
    encoded = ["-frames:v", "1", "-map_metadata", "-1", "-vf", f"{scale},format=yuvj420p", "-c:v", "mjpeg"]
    arguments = [*limits, *input_arguments(song), "-map", f"0:{number}", *encoded, "-q:v", str(_COVER_QUALITY)]
    run_ffmpeg([*arguments, "-fflags", "+bitexact", "-f", "mjpeg", f"file:{target}"])
    return target.stat().st_size > 0


def find_tags(song: Song) -> tuple[bool, str]:
    """Return whether a song has tags or a cover that can be copied, and a message if they cannot be."""
    if has_ffmpeg():
        return _is_tagged(song.path), ""
    if song.through_ffmpeg or _libsndfile_tags(song.path) == Tags():
        return False, ""
    return False, f"title, artist and cover of {song.path} are not kept: {INSTALL}"


def keep_tags(song: Path, sound: Path, target: Path, format: AudioFormat) -> None:  # noqa: A002 - libsndfile's word
    """Write a sound with the tags of a song, and its cover where the format holds one; the sound is not touched.

    Args:
        song: the file with the tags.
        sound: the file with the sound.
        target: the file to write.
        format: of ``sound`` and ``target``.

    Raises:
        AudioFileError: ffmpeg failed.
    """
    facts = probe_streams(song)
    number = cover_stream(facts) if format.name in _WITH_COVER else None
    cover = [] if number is None else ["-map", f"1:{number}", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    arguments = [*input_arguments(sound), *input_arguments(song), "-map", "0:a", *cover]
    arguments += [*metadata_arguments(facts, song, 1, format.name), "-map_chapters", "-1", "-c", "copy"]
    run_ffmpeg([*arguments, "-fflags", "+bitexact", *_muxer(format), f"file:{target}"])


def metadata_arguments(facts: dict[str, Any], song: Path, source: int, form: str) -> list[str]:
    """Return the arguments of ffmpeg that copy the tags of an input, wherever its container keeps them.

    Args:
        facts: the output of `probe_streams` for the song.
        song: the song.
        source: which input it is.
        form: the format that is written, by name: Ogg holds tags with its stream, all others with the file.
    """
    in_stream = song.suffix.lower() in _OGG or "ogg" in facts["format"].get("format_name", "")
    sound = next((s["index"] for s in facts.get("streams", []) if s.get("codec_type") == "audio"), 0)
    origin = f"{source}:s:{sound}" if in_stream else f"{source}:g"
    if form == "ogg":
        return ["-map_metadata", "-1", "-map_metadata:s:a:0", origin]
    return ["-map_metadata", origin, "-map_metadata:s:a", "-1"] if in_stream else ["-map_metadata", origin]


def _muxer(format: AudioFormat) -> list[str]:  # noqa: A002 - as above
    if format.name == "wav":
        return ["-rf64", "auto", "-f", "wav"]
    return {"flac": ["-f", "flac"], "mp3": ["-id3v2_version", "3", "-f", "mp3"], "ogg": ["-f", "ogg"]}[format.name]


def _is_tagged(path: Path) -> bool:
    try:
        facts = probe_streams(path)
    except AudioFileError:
        return False
    holders = (facts["format"], *facts.get("streams", []))
    tags = {name.lower() for holder in holders for name in holder.get("tags", {})}
    return bool(tags - _TECHNICAL) or cover_stream(facts) is not None


def _libsndfile_tags(path: Path) -> Tags:
    try:
        with open_sound(path) as file:
            return Tags(file.title or "", file.artist or "", file.album or "")
    except (OSError, soundfile.SoundFileError):
        return Tags()
