"""Reads uploaded files in a child process with limits: no other process opens them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

_CHILD = Path(__file__).with_name("sandbox_child.py")
_PROBE_SECONDS = 20.0
_DECODE_SECONDS = 600.0
_POLL_SECONDS = 0.5
_PARALLEL = threading.Semaphore(2)
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")


@dataclass(frozen=True)
class ProbedSong:
    """The properties of a file, read by the child process.

    Attributes:
        seconds: its duration, from the header, or counted once it is decoded.
        title: from the tags, as the next two; empty if there is none.
        artist: see above.
        album: see above.
        sample_rate: of the decoded file; 0 before.
        frames: of the decoded file; 0 before.
        cover: whether a cover was written.
    """

    seconds: float
    title: str = ""
    artist: str = ""
    album: str = ""
    sample_rate: int = 0
    frames: int = 0
    cover: bool = False


def probe_song(path: Path, max_seconds: float, empty: Path) -> ProbedSong:
    """Read the header and the tags of an uploaded file.

    Args:
        path: the file.
        max_seconds: longest song allowed.
        empty: an empty folder, where the child runs.

    Raises:
        Problem: it is not an audio file, or too long by its header.
    """
    with _PARALLEL:
        found = _run(["probe", str(path.absolute()), "", str(max_seconds)], empty, _PROBE_SECONDS, lambda: None)
    return ProbedSong(**found)


def decode_song(path: Path, out: Path, max_seconds: float, check: Callable[[], None] = lambda: None) -> ProbedSong:
    """Decode an uploaded file to ``source.flac`` (and ``cover.jpg``) in a folder: stereo, 44.1 or 48 kHz, 24 bits.

    Args:
        path: the file.
        out: the folder, which the child may write to.
        max_seconds: longest song allowed; frames are counted, as headers can be wrong.
        check: called twice a second; an exception from it ends the child.

    Raises:
        Problem: it cannot be read, is too long, or exceeds the limits.
    """
    found = _run(["decode", str(path.absolute()), str(out.absolute()), str(max_seconds)], out, _DECODE_SECONDS, check)
    return ProbedSong(**found)


def _run(arguments: list[str], folder: Path, seconds: float, check: Callable[[], None]) -> dict[str, Any]:
    variables = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    child = subprocess.Popen(  # noqa: S603 - our own program, no shell
        [sys.executable, "-I", str(_CHILD), *arguments],
        cwd=folder,
        env={**variables, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        output = _wait(child, seconds, check)
    finally:
        _kill_group(child)
    return _parse_output(output)


def _wait(child: subprocess.Popen[bytes], seconds: float, check: Callable[[], None]) -> bytes:
    waited = 0.0
    while True:
        try:
            return child.communicate(timeout=_POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            waited += _POLL_SECONDS
            if waited >= seconds:
                raise _unreadable("It takes too long to read.") from None
            check()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End the child with all that it started, ffmpeg included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _parse_output(output: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(output)
    except ValueError:  # killed by one of its limits, or crashed
        raise _unreadable("Reading it exceeds the limits of this server.") from None
    if "code" in found:
        raise Problem(422, found["code"], found["detail"], found.get("hint", ""))
    return found


def _unreadable(why: str) -> Problem:
    return Problem(422, "not-audio", f"This file is not readable as audio. {why}", "Convert it to FLAC or MP3 first.")
