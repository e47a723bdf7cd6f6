"""STFT of mid and side, masks, inverse STFT with overlap-add, shared by mask-based separators."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import (
    flush_denormals,
    njit_always_inline,
    njit_cached,
    njit_inline,
    restore_denormals,
)
from stream_sep.protocols import STEMS, Block, Stems

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_LEVEL = np.float32(1e9)  # powers of louder samples would not be finite
_HALF, _ZERO = np.float32(0.5), np.float32(0.0)


class MidSideStft:
    """Streaming STFT of mid and side, hop by hop, with the mix delayed to match.

    The last stem is the residual, so that stems add up to the mix. Non-finite frames become silence,
    as they would stay in spectral averages for ever. Between `analyze` and `synthesize` the thread flushes denormals
    to zero, so that decaying audio costs no more than other audio.

    Args:
        hop: frames per step.
        latency: frames by which stems lag behind the mix.
        analysis: analysis window; its length is the FFT size.
        synthesis: synthesis window over the end of each frame.
        stems: number of stems.
    """

    _mode: int  # how the thread took the smallest numbers before `analyze`

    def __init__(self, hop: int, latency: int, analysis: Block, synthesis: Block, *, stems: int = len(STEMS)) -> None:
        self._analysis, self._synthesis = analysis, synthesis
        self._past, self._past_before = (np.zeros((2, len(analysis)), np.float32) for _ in range(2))
        self._windowed = np.zeros((2, len(analysis)), np.float32)
        self._mix, self._mix_before = (np.zeros((2, latency + hop), np.float32) for _ in range(2))
        self._tail, self._tail_before = (np.zeros((stems - 1, 2, len(synthesis)), np.float32) for _ in range(2))
        self._out = np.zeros((stems, 2, hop), np.float32)

    def analyze(self, block: Block) -> NDArray[np.complex64]:
        """Analyze ``(2, hop)`` of the mix; return the spectra of mid and side, complex64 ``(2, bins)``."""
        self._mix, self._mix_before = self._mix_before, self._mix
        self._past, self._past_before = self._past_before, self._past
        block = np.ascontiguousarray(block, np.float32)
        self._mode = _analyze(
            block, self._mix_before, self._past_before, self._analysis, self._mix, self._past, self._windowed
        )
        return np.fft.rfft(self._windowed).astype(np.complex64, copy=False)

    def synthesize(self, masked_spectra: NDArray[np.complex64]) -> Stems:
        """Return ``(stems, 2, hop)`` from the masked spectra of all stems but the last, ``(stems - 1, 2, bins)``.

        The next call overwrites the returned array.
        """
        self._tail, self._tail_before = self._tail_before, self._tail
        frames = np.fft.irfft(masked_spectra).astype(np.float32, copy=False)
        _synthesize(frames, self._synthesis, self._mix, self._tail_before, self._tail, self._out, self._mode)
        return self._out

    def reset(self) -> None:
        """Clear the state."""
        for held in (self._past, self._mix, self._tail):
            held[:] = 0.0


# Shifts by a hop read and write different buffers: only then are the loops vectorized.


@njit_cached
def _analyze(  # noqa: PLR0917 - compiled code has no objects
    block: Block, mix_before: Block, past_before: Block, analysis: Block, mix: Block, past: Block, windowed: Block
) -> int:
    """Shift in a hop of the mix and of mid and side, and window it; return the mode `_synthesize` restores."""
    mode: int = flush_denormals()
    hop = block.shape[1]
    _move(mix_before, hop, mix)
    _move(past_before, hop, past)
    delayed, window = mix.shape[1] - hop, past.shape[1] - hop
    for k in range(hop):
        left, right = _finite(block[0, k]), _finite(block[1, k])
        mix[0, delayed + k], mix[1, delayed + k] = left, right
        left, right = _HALF * _bounded(left), _HALF * _bounded(right)
        past[0, window + k], past[1, window + k] = left + right, left - right
    for plane in range(2):
        for k in range(len(analysis)):
            windowed[plane, k] = past[plane, k] * analysis[k]
    return mode


@njit_cached
def _synthesize(  # noqa: PLR0917 - as above
    frames: Stems, synthesis: Block, mix: Block, tail_before: Stems, tail: Stems, out: Stems, mode: int
) -> None:
    """Overlap-add the new frames; write the finished hop, and the residual."""
    hop, start = out.shape[2], frames.shape[2] - len(synthesis)
    _move(mix, 0, out[-1])
    for stem in range(len(tail)):
        _move(tail_before[stem], hop, tail[stem])
        tail[stem, :, tail.shape[2] - hop :] = _ZERO
        for plane in range(2):
            for k in range(len(synthesis)):
                tail[stem, plane, k] += frames[stem, plane, start + k] * synthesis[k]
        for k in range(hop):
            mid, side = tail[stem, 0, k], tail[stem, 1, k]
            out[stem, 0, k], out[stem, 1, k] = mid + side, mid - side
            out[-1, 0, k] -= mid + side
            out[-1, 1, k] -= mid - side
    restore_denormals(mode)


@njit_inline
def _move(before: Block, by: int, after: Block) -> None:
    for plane in range(len(after)):
        for k in range(min(before.shape[1] - by, after.shape[1])):
            after[plane, k] = before[plane, by + k]


@njit_always_inline
def _finite(number: np.float32) -> np.float32:
    return number if math.isfinite(number) else _ZERO


@njit_always_inline
def _bounded(number: np.float32) -> np.float32:
    return min(max(number, -_MAX_LEVEL), _MAX_LEVEL)
