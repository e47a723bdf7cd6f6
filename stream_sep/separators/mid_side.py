"""Mid and side of a stream as spectra, and masked spectra as stems: what mask-based separators have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.protocols import STEMS, Block, Stems

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOUDEST = np.float32(1e9)  # powers of louder sound would not be finite
_HALF = np.float32(0.5)
_MASKED = len(STEMS) - 1


class MidSideFrames:
    """Holds the past of a stream, the mix on its way and what still fades out; all of one hop at a time.

    The last stem is what the others leave of the mix, so that stems add up to it. Frames that are not finite are
    taken as silence, as whoever averages spectra would remember them for ever.

    Args:
        hop: frames per step.
        latency: frames by which stems come after the mix.
        analysis: window over the past; its length is that of the spectra.
        synthesis: window over the end of each frame, in which masked sound fades in and out.
    """

    def __init__(self, hop: int, latency: int, analysis: Block, synthesis: Block) -> None:
        self._hop, self._analysis, self._synthesis = hop, analysis, synthesis
        self._past = np.zeros((2, len(analysis)), np.float32)
        self._mix = np.zeros((2, latency + hop), np.float32)
        self._tail = np.zeros((_MASKED, 2, len(synthesis)), np.float32)
        self._out = np.zeros((len(STEMS), 2, hop), np.float32)

    def take(self, block: Block) -> NDArray[np.complex64]:
        """Take ``(2, hop)`` of the mix; return the spectra of mid and side, complex64 ``(2, bins)``."""
        if not np.isfinite(block).all():
            block = np.where(np.isfinite(block), block, np.float32(0.0))
        hop = self._hop
        for held in (self._past, self._mix):
            held[:, :-hop] = held[:, hop:]
        self._mix[:, -hop:] = block
        half = np.clip(block, -_LOUDEST, _LOUDEST) * _HALF
        np.add(half[0], half[1], out=self._past[0, -hop:])
        np.subtract(half[0], half[1], out=self._past[1, -hop:])
        return np.fft.rfft(self._past * self._analysis).astype(np.complex64, copy=False)

    def give(self, parts: NDArray[np.complex64]) -> Stems:
        """Return ``(stems, 2, hop)`` for the masked spectra of all stems but the last, ``(stems - 1, 2, bins)``.

        The array is used again by the next call.
        """
        hop = self._hop
        self._tail[..., :-hop] = self._tail[..., hop:]
        self._tail[..., -hop:] = 0.0
        self._tail += np.fft.irfft(parts)[..., -self._tail.shape[2] :] * self._synthesis
        mid, side = self._tail[:, 0, :hop], self._tail[:, 1, :hop]
        np.add(mid, side, out=self._out[:-1, 0])
        np.subtract(mid, side, out=self._out[:-1, 1])
        np.subtract(self._mix[:, :hop], self._out[:-1].sum(axis=0), out=self._out[-1])
        return self._out

    def reset(self) -> None:
        """Forget everything."""
        for held in (self._past, self._mix, self._tail):
            held[:] = 0.0
