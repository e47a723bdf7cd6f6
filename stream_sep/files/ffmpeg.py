"""The program ffmpeg, where it is installed: formats that libsndfile cannot read, tags, covers, stem files."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import AudioFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stream_sep.protocols import Block

INSTALL = "install ffmpeg (https://ffmpeg.org, or apt install ffmpeg, brew install ffmpeg)"


def has_ffmpeg() -> bool:
    """Tell whether both programs, ffmpeg and ffprobe, are there."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def run_ffmpeg(arguments: Sequence[str]) -> None:
    """Run ffmpeg; the last argument names its output, which it overwrites.

    Raises:
        AudioFileError: ffmpeg is missing, or it failed; says why.
    """
    result = subprocess.run(  # noqa: S603 - no shell, and every path is one argument
        [_program("ffmpeg"), "-nostdin", "-v", "error", "-y", *arguments], capture_output=True, check=False
    )
    if result.returncode:
        raise AudioFileError(f"ffmpeg cannot write {arguments[-1]}: {_last_line(result.stderr)}")


def probe_streams(path: Path) -> dict[str, Any]:
    """Return what ffprobe knows of a file: ``streams``, a list, and ``format``, with its ``tags``.

    Raises:
        AudioFileError: ffprobe is missing, or it cannot read the file.
    """
    asked = ["-v", "error", "-of", "json", "-show_streams", "-show_format"]
    result = subprocess.run([_program("ffprobe"), *asked, f"file:{path}"], capture_output=True, check=False)  # noqa: S603 - as above
    if result.returncode:
        raise AudioFileError(f"cannot read {path}: {_last_line(result.stderr)}; is it an audio file?")
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def decode_blocks(path: Path, channels: int, frames: int) -> Iterator[Block]:
    """Give the first audio stream of a file as float32 ``(frames, channels)``, ``frames`` at a time.

    Raises:
        AudioFileError: ffmpeg is missing, or the file breaks off.
    """
    wanted = ["-map", "0:a:0", "-f", "f32le", "-acodec", "pcm_f32le", "-"]
    command = [_program("ffmpeg"), "-nostdin", "-v", "error", "-xerror", "-i", f"file:{path}", *wanted]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:  # noqa: S603 - as above
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            while data := program.stdout.read(4 * channels * frames):
                whole = len(data) // (4 * channels) * (4 * channels)
                yield np.frombuffer(data[:whole], np.float32).reshape(-1, channels)
            if program.wait():
                raise AudioFileError(f"cannot read {path} to its end: {_last_line(program.stderr.read())}")
        finally:
            program.kill()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AudioFileError(f"this needs the program {name}, which is not here; {INSTALL}")
    return found


def _last_line(told: bytes) -> str:
    lines = told.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it says nothing"
