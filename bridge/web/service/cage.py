"""Reads what users uploaded, in a child process with limits: nothing else ever opens those bytes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

_CHILD = Path(__file__).with_name("cage_child.py")
_PROBE_SECONDS = 20.0
_DECODE_SECONDS = 600.0
_POLL_SECONDS = 0.5
_AT_ONCE = threading.Semaphore(2)
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")


@dataclass(frozen=True)
class ProbedSong:
    """What the child found out about a file.

    Attributes:
        seconds: how long it is; as its header says, or, once decoded, as counted.
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


def probe_song(path: Path, max_seconds: float) -> ProbedSong:
    """Look at the header and the tags of an uploaded file.

    Args:
        path: the file.
        max_seconds: longest song allowed.

    Raises:
        Problem: it is no audio file, or says that it is too long.
    """
    with _AT_ONCE, tempfile.TemporaryDirectory(prefix="stream-sep-") as empty:
        found = _run(["probe", str(path), "", str(max_seconds)], Path(empty), _PROBE_SECONDS, lambda: None)
    return ProbedSong(**found)


def decode_song(path: Path, out: Path, max_seconds: float, check: Callable[[], None] = lambda: None) -> ProbedSong:
    """Decode an uploaded file to ``source.flac`` (and ``cover.png``) in a folder: stereo, 44.1 or 48 kHz, 24 bits.

    Args:
        path: the file.
        out: the folder, which the child may write to.
        max_seconds: how long it may be; frames are counted, as headers lie.
        check: called twice a second; what it raises ends the child.

    Raises:
        Problem: it cannot be read, is too long, or does not end within its limits.
    """
    found = _run(["decode", str(path), str(out), str(max_seconds)], out, _DECODE_SECONDS, check)
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
        told = _wait(child, seconds, check)
    finally:
        _kill_group(child)
    return _answer(told)


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


def _answer(told: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(told)
    except ValueError:  # it was ended by one of its limits, or broke
        raise _unreadable("Reading it takes more than this server gives.") from None
    if "code" in found:
        raise Problem(422, found["code"], found["detail"], found.get("hint", ""))
    return found


def _unreadable(why: str) -> Problem:
    return Problem(
        422, "not-audio", f"It is no audio file that we can read. {why}", "Convert it to FLAC or MP3 first."
    )
