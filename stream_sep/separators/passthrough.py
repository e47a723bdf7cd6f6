"""A separator that separates nothing, for latency measurements and tests of the engine."""

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS, Block, Stems


class PassthroughSeparator:
    """Puts the whole mix, delayed, on one stem and silence on the others.

    Args:
        sample_rate: frames per second.
        hop: frames per call.
        latency: frames of delay to pretend, any number.
        stems: names of the stems.
        carrier: the stem that carries the mix; the last one unless named.
        channels: channels of the mix.

    >>> probe = PassthroughSeparator(hop=2, latency=1, stems=("a", "b"), channels=1)
    >>> probe.process(np.array([[1, 2]], np.float32))[1]
    array([[0., 1.]], dtype=float32)
    """

    compute_share = 0.25

    def __init__(
        self,
        *,
        sample_rate: int = 44100,
        hop: int = 256,
        latency: int = 0,
        stems: tuple[str, ...] = STEMS,
        carrier: str | None = None,
        channels: int = 2,
    ) -> None:
        if hop < 1 or latency < 0:
            raise ConfigError(f"passthrough: hop {hop} must be at least 1 and latency {latency} at least 0")
        if carrier is not None and carrier not in stems:
            raise ConfigError(f"passthrough: no stem {carrier!r} to carry the mix; one of {', '.join(stems)}")
        self.stems = tuple(stems)
        self.sample_rate = sample_rate
        self.channels = channels
        self.hop = hop
        self.latency = latency
        self._carrier = len(stems) - 1 if carrier is None else stems.index(carrier)
        self._held = np.zeros((channels, latency), np.float32)

    def process(self, block: Block) -> Stems:
        """Return the mix of ``latency`` frames ago on the carrier stem; shapes as in `Separator.process`."""
        held = np.concatenate([self._held, block], axis=1)
        self._held = held[:, self.hop :]
        stems = np.zeros((len(self.stems), self.channels, self.hop), np.float32)
        stems[self._carrier] = held[:, : self.hop]
        return stems

    def reset(self) -> None:
        """Clear the delayed frames."""
        self._held = np.zeros_like(self._held)
