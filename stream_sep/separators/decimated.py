"""Runs a separator in a stream of twice or four times its sample rate, with hardly more latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.separators.compute_share import compute_share_of
from stream_sep.separators.delayed_mix import DelayedMix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block, Separator, Stems

_REACH = 24
"""Frames of the inner rate that the filter looks back and ahead."""

_ATTENUATION_DB = 80.0
_EDGE = 0.47  # of the inner rate: what is there is halved, what is a tenth below passes, what is above half is gone


class DecimatedSeparator:
    """Filters and decimates the stream for a separator at an integer fraction of its rate; a `Separator`.

    Unlike `ResampledSeparator`, which works between any two rates, it costs about a millisecond. What the inner
    separator does not receive, above half its own rate, is not lost: it stays in the stem ``other``.

    The filter is a sinc in a window by Kaiser (1974), of linear phase.

    Args:
        inner: the separator to run.
        factor: frames of the stream per frame of the inner separator.

    Raises:
        ConfigError: a factor below 1.

    >>> from stream_sep.separators.passthrough import PassthroughSeparator
    >>> outer = DecimatedSeparator(PassthroughSeparator(sample_rate=44100, hop=441), 2)
    >>> outer.hop, outer.sample_rate, outer.latency
    (882, 88200, 96)
    """

    _history: Block  # (channels, filter - 1) at the outer rate
    _made: Stems  # (stems but other, channels, phases - 1) at the inner rate

    def __init__(self, inner: Separator, factor: int) -> None:
        if factor < 1:
            raise ConfigError(f"a stream cannot have {factor} times the frames of a separator")
        self._inner, self._factor = inner, factor
        self.stems = inner.stems
        self.sample_rate = factor * inner.sample_rate
        self.channels, self.compute_share = inner.channels, compute_share_of(inner)
        self.hop = factor * inner.hop
        reach = _REACH * factor
        self.latency = factor * inner.latency + 2 * reach
        self._filter = low_pass(reach, factor)
        padded = np.append(self._filter, np.zeros(factor - 1, np.float32))
        self._phases = factor * padded.reshape(-1, factor)  # of the filter that fills in the frames between
        self._rows = [row for row, name in enumerate(inner.stems) if name != "other"]
        self.reset()

    def process(self, block: Block) -> Stems:
        """Process ``hop`` frames at the outer rate; shapes as in `Separator.process`."""
        made = self._inner.process(self._down(np.asarray(block, np.float32)))
        stems = np.zeros((len(self.stems), self.channels, self.hop), np.float32)
        stems[self._rows] = self._up(made[self._rows])
        return self._mix.complete(stems, block)

    def reset(self) -> None:
        """Clear the state here and in the inner separator."""
        self._inner.reset()
        self._history = np.zeros((self.channels, len(self._filter) - 1), np.float32)
        self._made = np.zeros((len(self._rows), self.channels, len(self._phases) - 1), np.float32)
        self._mix = DelayedMix(self.stems, self.channels, self.latency)

    def _down(self, block: Block) -> Block:
        """Return every so many frames of the filtered sound, ``(channels, inner hop)``."""
        window = np.concatenate([self._history, block], axis=1)
        self._history = window[:, self.hop :]
        windows = np.lib.stride_tricks.sliding_window_view(window, len(self._filter), axis=1)
        low: Block = windows[:, :: self._factor] @ self._filter[::-1]
        return low

    def _up(self, stems: Stems) -> Stems:
        """Return stems with the frames between filled in, ``(stems, channels, hop)``."""
        made = np.concatenate([self._made, stems], axis=2)
        self._made = made[..., stems.shape[2] :]
        windows = np.lib.stride_tricks.sliding_window_view(made, len(self._phases), axis=2)
        filled: Stems = np.reshape(windows @ self._phases[::-1], (*stems.shape[:2], self.hop))
        return filled


def low_pass(reach: int, factor: int) -> NDArray[np.float32]:
    """Return a low-pass of ``2 * reach + 1`` taps for a rate lower by ``factor``.

    Args:
        reach: taps on either side of the middle.
        factor: the decimation.

    >>> low_pass(48, 2).shape, round(float(low_pass(48, 2).sum()), 3)
    ((97,), 1.0)
    """
    at = np.arange(-reach, reach + 1)
    cutoff = 2 * _EDGE / factor
    taps = cutoff * np.sinc(cutoff * at) * np.kaiser(2 * reach + 1, 0.1102 * (_ATTENUATION_DB - 8.7))
    normal: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return normal
