"""Records the engine's output, the mix and every stem after their faders, to files and to taps."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.state import RECORD_HEAD, RECORD_TAIL
from stream_sep.errors import AudioFileError, reason
from stream_sep.lowlevel.numba_intrinsics import load_acquire, njit_cached, store_release
from stream_sep.lowlevel.streaming_wav import StreamingWavWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.audio.state import AudioState
    from stream_sep.protocols import Block

_JOIN_TIMEOUT = 1.0
_PERIOD = 0.05
_TAP_PERIOD = 0.003  # a tap plays elsewhere, so its delay counts


class Recorder:
    """Drains the audio thread's recording ring into ``mix.wav`` and one 32-bit float WAV for each stem.

    Earlier takes are never overwritten: if the folder holds one, this one goes to ``take-2`` in it, or the next free
    one. Each file is valid at all times, beyond 4 GB as RF64; a full disk ends the recording with one message, and
    truncates all files to the length of the shortest.

    Args:
        state: holds the recording ring.
        folder: for the files; created if missing; None writes none.
        stems: names of the stems.
        sample_rate: frames per second.
        skip: frames to leave out at the start, such as the latency.
        report: callback that receives a message when the recording ends early.
        taps: callbacks that receive all audio, float32 ``(2 * (1 + stems), frames)``, the mix first, on the thread of
            the recorder; one that raises is reported and not called again.

    Attributes:
        folder: of the files; None without files.
        failed: why the recording ended early, or None.

    Raises:
        AudioFileError: the folder cannot be written.
    """

    def __init__(
        self,
        state: AudioState,
        folder: Path | None,
        stems: tuple[str, ...],
        sample_rate: int,
        *,
        skip: int = 0,
        report: Callable[[str], None] = lambda _: None,
        taps: tuple[Callable[[Block], object], ...] = (),
    ) -> None:
        self._taps = list(taps)
        self.failed: str | None = None
        self._state = state
        self._skip = skip
        self._report = report
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._files: list[StreamingWavWriter] = []
        self.folder = None if folder is None else self._open(folder, ("mix", *stems), sample_rate)

    def _open(self, folder: Path, names: tuple[str, ...], sample_rate: int) -> Path:
        """Create the files of a take in ``folder``, or in its first free subfolder for a later take."""
        for take in itertools.count(1):
            target = folder if take == 1 else folder / f"take-{take}"
            try:
                target.mkdir(parents=True, exist_ok=True)
                for name in names:
                    path = target / f"{name}.wav"
                    self._files.append(StreamingWavWriter(path, sample_rate, 32, exclusive=True))
            except FileExistsError as error:
                self._discard()
                if not target.is_dir():
                    raise AudioFileError(f"cannot record to {target}: {error}; choose another folder") from error
            except OSError as error:
                self._discard()
                raise AudioFileError(f"cannot record to {target}: {reason(error)}; choose another folder") from error
            else:
                return target
        raise AssertionError("there is always another take")

    def start(self) -> None:
        """Drain on a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Write the frames recorded since the last call."""
        frames = _take(self._state.array("local"), self._state.array("recording"))
        if self._taps and len(frames):
            self._feed(np.ascontiguousarray(frames.T))
        skipped = min(self._skip, frames.shape[0])
        self._skip -= skipped
        if self.failed is None and frames.shape[0] > skipped:
            self._write(frames[skipped:])

    def stop(self) -> None:
        """Write the rest and close the files; a take in which nothing was played is deleted."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT)
            if self._thread.is_alive():  # a tap or a disk hangs
                return
        self.drain()
        if any(file.frames for file in self._files):
            self._close()
        else:
            self._discard()
            self.folder = None

    def _run(self) -> None:
        while not self._stopped.wait(_TAP_PERIOD if self._taps else _PERIOD):
            self.drain()

    def _feed(self, block: Block) -> None:
        for tap in tuple(self._taps):
            try:
                tap(block)
            except Exception as error:  # noqa: BLE001 - a tap can fail in any way; the recording continues
                self._taps.remove(tap)
                self._report(f"a tap on the sound failed and is left out: {type(error).__name__}: {error}")

    def _write(self, frames: NDArray[np.float32]) -> None:
        try:
            for index, file in enumerate(self._files):
                file.write(frames[:, 2 * index : 2 * index + 2])
        except OSError as error:
            self.failed = f"recording to {self.folder} ended: {reason(error)}; what was written so far is intact"
            self._report(self.failed)
            self._level()

    def _level(self) -> None:
        """Truncate all files to the length of the shortest, so that stems and mix stay aligned."""
        shortest = min(file.frames for file in self._files)
        for file in self._files:
            with suppress(OSError):
                file.truncate(shortest)

    def _close(self) -> None:
        for file in self._files:
            try:
                file.close()
            except OSError as error:
                self.failed = self.failed or f"closing the recording in {self.folder} failed: {reason(error)}"

    def _discard(self) -> None:
        """Delete the files just created, and the folder if it is empty then."""
        for file in self._files:
            with suppress(OSError):
                file.close()
                file.path.unlink()
        if self._files:
            with suppress(OSError):
                self._files[0].path.parent.rmdir()
        self._files.clear()


def _take(local: NDArray[np.generic], recording: NDArray[np.generic]) -> NDArray[np.float32]:
    head, tail = _bounds(local)
    frames: NDArray[np.float32] = recording[np.arange(tail, head) % recording.shape[0]].astype(np.float32)
    _release(local, head)
    return frames


@njit_cached
def _bounds(local: NDArray[np.generic]) -> tuple[int, int]:
    return load_acquire(local, RECORD_HEAD), load_acquire(local, RECORD_TAIL)


@njit_cached
def _release(local: NDArray[np.generic], tail: int) -> None:
    store_release(local, RECORD_TAIL, tail)
