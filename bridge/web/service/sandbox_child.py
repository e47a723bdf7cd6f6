"""The program in the sandbox: ``probe|decode FILE FOLDER MAX_SECONDS``; one line of JSON on standard output.

It runs as ``python -I`` by its path, so that no variable and no folder affects its imports, and sets its limits
before it reads the user's file. ffmpeg, where it is needed, inherits them: a flaw in a decoder must not reach the
songs of others. On Linux neither may open any file but the programs', that one song, and what they write to FOLDER.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

_MEMORY = 2 << 30
_CPU_SECONDS = 300
_FILE_BYTES = 3 << 30
_OPEN_FILES = 64
_MAX_TAG = 200
_ROOT = Path(__file__).resolve().parents[3]
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix", "/gnu", "/snap", "/home/linuxbrew"),
    *("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/passwd", "/etc/nsswitch.conf", "/etc/localtime"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random", "/dev/zero"),
)
"""Where programs and their libraries are, and what these read at their start."""


def main() -> None:
    """Run the command in the arguments."""
    _limit()
    sys.path.insert(0, str(_ROOT))
    mode, path, folder, seconds = sys.argv[1:5]
    _deny_files(Path(path), Path(folder) if mode == "decode" else None)
    found = (
        _probe(Path(path), float(seconds)) if mode == "probe" else _decode(Path(path), Path(folder), float(seconds))
    )
    sys.stdout.write(json.dumps(found))


def _limit() -> None:
    try:
        import resource  # noqa: PLC0415 - missing on Windows
    except ImportError:
        return
    for what, value in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # the system's own limit is lower
            resource.setrlimit(what, (value, value))


def _deny_files(path: Path, folder: Path | None) -> None:
    from bridge.web.service.landlock import restrict  # noqa: PLC0415 - behind the limits

    programs = [Path(found).resolve() for name in ("ffmpeg", "ffprobe") if (found := shutil.which(name))]
    libraries = [Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if entry]
    libraries += [
        program.parent.parent / name for program in programs for name in ("lib", "lib64")
    ]  # as in /opt/ffmpeg
    python = [Path(sys.prefix), Path(sys.base_prefix), *(_ROOT / name for name in ("bridge", "stream_sep"))]
    writable = [Path(os.devnull), *([folder] if folder is not None else [])]
    restrict([*map(Path, _SYSTEM), *python, *libraries, *programs, path], writable)


def _probe(path: Path, max_seconds: float) -> dict[str, Any]:
    from stream_sep.errors import StreamSepError  # noqa: PLC0415 - behind the limits
    from stream_sep.files.song import open_song  # noqa: PLC0415 - as above

    try:
        song = open_song(path)
        next(song.blocks(song.sample_rate), None)  # a valid header may be followed by nothing readable
    except StreamSepError as error:
        return _no_audio(path, error)
    if song.seconds > max_seconds:
        return _too_long(song.seconds, max_seconds)
    return {"seconds": song.seconds, **_tags(path)}


def _decode(path: Path, folder: Path, max_seconds: float) -> dict[str, Any]:
    from stream_sep.errors import StreamSepError  # noqa: PLC0415 - behind the limits
    from stream_sep.files.formats import AudioFormat  # noqa: PLC0415 - as above
    from stream_sep.files.output_file import OutputFile  # noqa: PLC0415 - as above
    from stream_sep.files.song import open_song  # noqa: PLC0415 - as above

    try:
        song = open_song(path)
        rate, frames = 48000 if song.sample_rate % 48000 == 0 else 44100, 0
        with OutputFile(folder / "source.flac", rate, 0, AudioFormat("flac", 24), stream=False) as file:
            for block in song.blocks(rate):
                frames += block.shape[1]
                if frames > max_seconds * rate:
                    return _too_long(frames / rate, max_seconds, counted=True)
                file.write(block)
            if not frames:
                return {"code": "not-audio", "detail": "It has no audio."}
            file.finish(file.gain)
            file.commit()
    except StreamSepError as error:
        return _no_audio(path, error)
    cover = _write_cover(path, folder / "cover.jpg")
    return {"seconds": frames / rate, "sample_rate": rate, "frames": frames, "cover": cover, **_tags(path)}


def _write_cover(path: Path, target: Path) -> bool:
    from stream_sep.errors import StreamSepError  # noqa: PLC0415 - behind the limits
    from stream_sep.files.tags import write_cover  # noqa: PLC0415 - as above

    try:
        return write_cover(path, target)
    except (StreamSepError, OSError):  # a cover is optional
        target.unlink(missing_ok=True)
        return False


def _tags(path: Path) -> dict[str, str]:
    from stream_sep.errors import StreamSepError  # noqa: PLC0415 - behind the limits
    from stream_sep.files.tags import read_tags  # noqa: PLC0415 - as above

    try:
        tags = read_tags(path)
    except StreamSepError:  # tags are optional
        return {}
    return {"title": _clean(tags.title), "artist": _clean(tags.artist), "album": _clean(tags.album)}


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:_MAX_TAG]


def _no_audio(path: Path, error: Exception) -> dict[str, Any]:
    with path.open("rb") as file:
        begin = file.read(256).lstrip().lower()
    looks = (
        " (it looks like a playlist)" if begin.startswith((b"#extm3u", b"ffconcat", b"v=0", b"[playlist]")) else ""
    )
    looks = " (it looks like a playlist)" if b"<mpd" in begin else looks
    hint = "Convert it to FLAC or MP3 first."
    if "channels" in str(error):
        return {"code": "not-audio", "detail": "Its number of channels is not supported.", "hint": hint}
    return {"code": "not-audio", "detail": f"This file is not readable as audio{looks}.", "hint": hint}


def _too_long(seconds: float, limit: float, *, counted: bool = False) -> dict[str, Any]:
    length = f"more than {_minutes(limit)}" if counted else _minutes(seconds)
    return {"code": "too-long", "detail": f"It is {length} long; this server takes {_minutes(limit)}."}


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


if __name__ == "__main__":
    main()
