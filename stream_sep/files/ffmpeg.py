"""ffmpeg, where it is installed: formats that libsndfile cannot read, tags, covers, stem files.

Files are untrusted, so every input is restricted to one file and to containers that cannot reference another: a
supposed song may be a playlist of private files.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.files import ffmpeg_process
from stream_sep.files.ffmpeg_process import Output, no_response, run_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

INSTALL = "install ffmpeg (https://ffmpeg.org, or apt install ffmpeg, brew install ffmpeg)"

_CONTAINERS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3", "flac", "flv"),
    *("matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "tak", "tta", "voc", "w64", "wav", "wv"),
)
"""Demuxers whose files contain their own audio: no playlists (hls, concat, dash, sdp), devices or image sequences."""

_RESYNCING = {"aac", "mp3", "ogg"}
"""Demuxers of streams where players skip damaged parts and resume at the next frame."""

_NOISE = (b"non monotonically", b"Last message repeated")  # of times, which raw sound has none of

_MAX_DAMAGED_SHARE = 0.01
_DAMAGED_FRAME_SECONDS = 0.026
_MIN_DAMAGED = 20


def has_ffmpeg() -> bool:
    """Return whether both programs, ffmpeg and ffprobe, are installed."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def input_arguments(path: Path, *, ignore_length: bool = False) -> list[str]:
    """Return the arguments of ffmpeg that open a file, but no other file that it references.

    Args:
        path: the file.
        ignore_length: whether the header's length is ignored.
    """
    safe = ["-protocol_whitelist", "file", "-format_whitelist", ",".join(_CONTAINERS)]
    return [*safe, *(["-ignore_length", "1"] if ignore_length else []), "-i", f"file:{path}"]


def run_ffmpeg(arguments: Sequence[str]) -> None:
    """Run ffmpeg; the last argument names its output, which it overwrites.

    Raises:
        AudioFileError: ffmpeg is missing, or it failed.
    """
    output, seen = Path(arguments[-1].removeprefix("file:")), 0

    def is_writing() -> bool:
        nonlocal seen
        before, seen = seen, output.stat().st_mtime_ns if output.exists() else 0
        return seen != before

    command = [_program("ffmpeg"), "-nostdin", "-v", "error", "-y", *arguments]
    result = run_to_end(command, output, is_writing)
    if result.returncode:
        raise AudioFileError(f"ffmpeg cannot write {arguments[-1]}: {_last_line(result.stderr)}")


def probe_streams(path: Path) -> dict[str, Any]:
    """Return ffprobe's output for a file: ``streams``, a list, and ``format``, with its ``tags``.

    ``format`` also has ``duration_is_estimated``: whether the file does not count its sound.

    Raises:
        AudioFileError: ffprobe is missing, or it cannot read the file.
    """
    options = ["-v", "warning", "-of", "json", "-show_streams", "-show_format"]
    result = run_to_end([_program("ffprobe"), *options, *input_arguments(path)], path)
    if result.returncode:
        raise AudioFileError(f"cannot read {path}: {_complaint(result.stderr, path)}; is it an audio file?")
    found: dict[str, Any] = json.loads(result.stdout)
    found.setdefault("format", {})["duration_is_estimated"] = b"Estimating duration" in result.stderr
    return found


def _complaint(output: bytes, path: Path) -> str:
    """Return the last line of ffmpeg's errors, without the file name in front."""
    return _last_line(output).removeprefix(f"file:{path}: ")


def extract_stream(path: Path, number: int) -> bytes:
    """Return the bytes of one stream of a file, such as a cover, as they are in it.

    Args:
        path: the file.
        number: index of the stream.

    Raises:
        AudioFileError: ffmpeg is missing, or it failed.
    """
    options = ["-map", f"0:{number}", "-c", "copy", "-frames:v", "1", "-f", "rawvideo", "-"]
    result = run_to_end([_program("ffmpeg"), "-nostdin", "-v", "error", *input_arguments(path), *options], path)
    if result.returncode:
        raise AudioFileError(f"cannot read the picture in {path}: {_complaint(result.stderr, path)}")
    return result.stdout


def decode_blocks(
    path: Path,
    *,
    channels: int,
    rate: int,
    frames: int,
    stream: int = 0,
    container: str = "",
    ignore_length: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[NDArray[np.float32]]:
    """Yield an audio stream of a file, block by block, to its actual end.

    Where the sample rate or the channels change within the file, as in recordings of radio, it is converted.

    Args:
        path: the file.
        channels: of the output.
        rate: frames per second of the output.
        frames: of a block.
        stream: which of its audio streams.
        container: ffprobe's name of the format; raw streams are read past damaged frames, as players do.
        ignore_length: of a WAV file, whether to read beyond the length in its header.
        warn: callback that receives a message about skipped damage, at the end.

    Returns:
        float32 ``(frames, channels)``, the last one shorter.

    Raises:
        AudioFileError: ffmpeg is missing, or the file is damaged by more than a player skips.
    """
    strict = [] if container in _RESYNCING or ignore_length else ["-xerror"]
    options = ["-map", f"0:a:{stream}", "-vn", "-af", "asetpts=N/SR/TB", "-ar", str(rate), "-ac", str(channels)]
    command = [_program("ffmpeg"), "-nostdin", "-v", "error", *strict]
    command += [*input_arguments(path, ignore_length=ignore_length), *options, "-f", "f32le", "-"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    size, decoded = 4 * channels, 0
    with subprocess.Popen(command, **pipes) as program:  # type: ignore[call-overload] # noqa: S603 - no shell, and every path is one argument
        complaints, output = _Complaints(program.stderr), Output(program)
        try:
            while data := output.read(size * frames):
                whole = len(data) // size
                decoded += whole
                yield np.frombuffer(data, np.float32, whole * channels).reshape(-1, channels)
            code = program.wait(ffmpeg_process.MAX_SILENCE)
        except subprocess.TimeoutExpired:
            output.stalled = True
        finally:
            output.close()
            complaints.join(ffmpeg_process.MAX_SILENCE)
    if output.stalled:
        raise no_response("ffmpeg", path)
    if code or complaints.count > _allowed(decoded / rate):
        raise AudioFileError(f"cannot read {path} to its end: {complaints.last}; the file is damaged")
    if complaints.count:
        places = "1 place" if complaints.count == 1 else f"{complaints.count} places"
        warn(f"{path} is damaged, or joined of several files, at {places}; that was skipped ({complaints.last})")


class _Complaints(threading.Thread):
    """Reads the error messages of ffmpeg, which would block once the pipe is full."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.count, self.last, self._stream = 0, "it gives no reason", stream
        self.start()

    def run(self) -> None:
        for line in self._stream:
            if b"Error while decoding" in line or b"Error submitting packet" in line:
                self.count += 1
            elif not any(text in line for text in _NOISE):
                self.last = line.decode(errors="replace").strip() or self.last


def _allowed(seconds: float) -> float:
    return max(_MIN_DAMAGED, _MAX_DAMAGED_SHARE * seconds / _DAMAGED_FRAME_SECONDS)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AudioFileError(f"the program {name} is not installed; {INSTALL}")
    return found


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it gives no reason"
