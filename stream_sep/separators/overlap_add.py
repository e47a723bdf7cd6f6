"""Separates files in windows that overlap by half, with crossfades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Stems
    from stream_sep.separators.windowed import WindowModel


class OverlapAddSeparator:
    """Runs a window model every half window, and overlap-adds the output under a Hann window; a `Separator`.

    Each frame is separated twice, near the middle of one window or at the ends of both, where its weight is small.
    The stems add up to the mix: the remainder goes to the stem of all else, by `rest_of`.

    Args:
        window_model: separates one window.
        window: its frames, an even number; half of it is the hop, and the latency.

    Raises:
        ConfigError: a window that has no half.
    """

    has_own_rate = True
    """Songs are resampled to its rate, as it cannot be had at others."""

    _tail: Stems  # (stems, channels, hop): the second half of the last window
    _begins: bool  # whether no hop has been output yet

    def __init__(self, window_model: WindowModel, window: int) -> None:
        if window < 2 or window % 2:
            raise ConfigError(f"a window of {window} frames has no half; give an even number")
        self.stems = tuple(window_model.stems)
        self.sample_rate, self.channels = window_model.sample_rate, window_model.channels
        self.hop = self.latency = window // 2
        self._model = window_model
        self._fade = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the window that ends with ``block``; shapes as in `Separator.process`."""
        self._window[:, : self.hop] = self._window[:, self.hop :]
        self._window[:, self.hop :] = block
        faded = self._separate() * self._fade
        out: Stems = self._tail + faded[..., : self.hop]
        self._tail = faded[..., self.hop :].copy()
        if self._begins:  # sound before the first frame of the mix
            out[:], self._begins = 0.0, False
        return out

    def reset(self) -> None:
        """Return to the state of a fresh object."""
        self._window = np.zeros((self.channels, 2 * self.hop), np.float32)
        self._tail = np.zeros((len(self.stems), self.channels, self.hop), np.float32)
        self._begins = True

    def _separate(self) -> Stems:
        if not self._window.any():
            return np.zeros((len(self.stems), *self._window.shape), np.float32)
        return add_remainder(np.array(self._model(self._window), np.float32), self._window, self.stems)
