"""The size of a causal network, in numbers that are checked once and travel with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

ZONES = ((1, 120), (2, 120), (4, 120), (8, 60))
"""Bins a point and points, from the lowest frequency up; above them 16 bins a point.

A mask needs to tell partials from each other, which stand as far apart at the top as at the bottom, but melt into
noise there, and at 5 kHz an ear no longer hears what a fine mask adds. A quarter as many points costs a quarter of
the decoder, and has less to learn from little data.
"""


@dataclass(frozen=True)
class NetworkSize:
    """What a causal network looks like.

    Attributes:
        hop: frames per step.
        fade: frames in which a hop fades into the next. ``hop + fade`` is heard as latency: the hop has to fill,
            and its end waits for the next fade.
        window: frames of the past in the spectrum; costs compute, no latency.
        width: numbers that describe a band.
        blocks: layers of time and band mixing.
        mixer: hidden numbers where bands are mixed.
        points: points a band.
        lookahead: hops of the future that a mask is decided with; each costs a hop of latency.

    Raises:
        ConfigError: a size that makes no sense.
    """

    hop: int = 512
    fade: int = 448
    window: int = 4096
    width: int = 80
    blocks: int = 4
    mixer: int = 64
    points: int = 12
    lookahead: int = 0

    def __post_init__(self) -> None:
        """Refuse nonsense in a sentence."""
        if min(self.hop, self.fade, self.width, self.blocks, self.mixer, self.points) < 1 or self.lookahead < 0:
            raise ConfigError(f"a network's sizes must be positive, not {asdict(self)}")
        if self.window < 256 or self.window & (self.window - 1):
            raise ConfigError(f"a window of {self.window} frames is no power of two from 256 up; try 2048 or 4096")
        if self.fade > self.hop or self.hop + self.fade > self.window:
            raise ConfigError(
                f"a fade of {self.fade} frames does not fit: it must be at most a hop ({self.hop}), and both "
                f"together at most the window ({self.window})"
            )

    @property
    def latency(self) -> int:
        """Frames by which stems come after the mix, with hops fed and read at once."""
        return self.fade + self.lookahead * self.hop

    @property
    def algorithmic(self) -> int:
        """Frames from a sound to its stems on an infinitely fast machine: the latency, and a hop that has to fill."""
        return self.latency + self.hop

    def played_at(self, hop: int) -> NetworkSize:
        """Return the size of what is heard where the same network is played in shorter hops.

        >>> SIZES["live"].played_at(128).algorithmic
        256
        """
        return replace(self, hop=hop, fade=min(self.fade, hop))

    @property
    def bins(self) -> int:
        """Frequencies of the spectrum."""
        return self.window // 2 + 1


SIZES: Mapping[str, NetworkSize] = {
    "instant": NetworkSize(hop=128, fade=128, window=2048, width=72, blocks=3, mixer=48),
    "live": NetworkSize(),
    "near": NetworkSize(lookahead=7),
    "tiny": NetworkSize(hop=64, fade=64, window=256, width=8, blocks=1, mixer=8, points=8),
}
"""Name of a size -> the size; ``near`` is ``live`` with 102 ms, ``tiny`` is for tests."""


def size_from(values: Mapping[str, Any]) -> NetworkSize:
    """Return the size written in a table, whose key ``size`` may name one of `SIZES` to begin with.

    Raises:
        ConfigError: an unknown key or size, or a value that is not a whole number.

    >>> size_from({"size": "live", "width": 64}).width
    64
    """
    given = dict(values)
    name = given.pop("size", "live")
    if name not in SIZES:
        raise ConfigError(f"there is no network size {name!r}; one of: {', '.join(SIZES)}")
    unknown = sorted(set(given) - set(asdict(SIZES[name])))
    if unknown:
        raise ConfigError(f"a network has no size {unknown[0]!r}; it has: {', '.join(asdict(SIZES[name]))}")
    for key, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"the network's {key} must be a whole number, not {value!r}")
    return NetworkSize(**{**asdict(SIZES[name]), **given})
