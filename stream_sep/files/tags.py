"""The song's title, artist and cover, for the files made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import soundfile

from stream_sep.errors import AudioFileError
from stream_sep.files.ffmpeg import INSTALL, has_ffmpeg, probe_streams, run_ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.files.formats import AudioFormat
    from stream_sep.files.song import Song

_TECHNICAL = {"encoder", "major_brand", "minor_version", "compatible_brands", "creation_time"}
_WITH_COVER = {"flac", "mp3", "stem.mp4"}


def find_tags(song: Song) -> tuple[bool, str]:
    """Tell whether a song has tags or a cover that can be kept, and, where they cannot, a sentence on it."""
    if has_ffmpeg():
        return _tagged(song.path), ""
    if song.through_ffmpeg or not _has_text(song.path):
        return False, ""
    return False, f"title, artist and cover of {song.path} are not kept: {INSTALL}"


def keep_tags(song: Path, file: Path, format: AudioFormat) -> None:  # noqa: A002 - what libsndfile calls it
    """Copy tags, and the cover where the format holds one, from a song into a file; the sound is not touched.

    Raises:
        AudioFileError: ffmpeg failed.
    """
    tagged = file.with_name(f"tagged.{file.name}")
    cover = ["-map", "1:v?", "-disposition:v", "attached_pic"] if format.name in _WITH_COVER else []
    arguments = ["-i", f"file:{file}", "-i", f"file:{song}", "-map", "0:a", *cover, "-map_metadata", "1"]
    streams = ["-map_metadata:s:a", "1:s:a"] if song.suffix.lower() in {".ogg", ".opus", ".oga"} else []
    arguments += [*streams, "-map_chapters", "-1", "-c", "copy", "-fflags", "+bitexact"]
    try:
        run_ffmpeg([*arguments, *_muxer(format), f"file:{tagged}"])
        tagged.replace(file)
    finally:
        tagged.unlink(missing_ok=True)


def _muxer(format: AudioFormat) -> list[str]:  # noqa: A002 - as above
    if format.name == "wav":
        return ["-rf64", "auto", "-f", "wav"]
    return {"flac": ["-f", "flac"], "mp3": ["-id3v2_version", "3", "-f", "mp3"], "ogg": ["-f", "ogg"]}[format.name]


def _tagged(path: Path) -> bool:
    try:
        facts = probe_streams(path)
    except AudioFileError:
        return False
    streams = facts.get("streams", [])
    tags = {name.lower() for holder in (facts.get("format", {}), *streams) for name in holder.get("tags", {})}
    return bool(tags - _TECHNICAL) or any(stream.get("codec_type") == "video" for stream in streams)


def _has_text(path: Path) -> bool:
    try:
        with soundfile.SoundFile(path) as file:
            return any(getattr(file, name, "") for name in ("title", "artist", "album"))
    except (OSError, soundfile.SoundFileError):
        return False
