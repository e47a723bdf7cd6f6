"""The configuration of a causal network, validated once and stored with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")

ZONES = ((1, 120), (2, 120), (4, 120), (8, 60))
"""FFT bins per mask bin and number of mask bins, from the lowest frequency up; above them 16 FFT bins per mask bin.

Partials are equally far apart at all frequencies, but merge into noise at the top, and above 5 kHz a finer mask is
inaudible. A quarter of the mask bins costs a quarter of the decoder, and is easier to fit to little data.
"""

CONV_KERNEL = 3
"""Hops and mask bins that a kernel of a network's convolutions covers."""

CONV_DILATIONS = (1, 2)
"""Hops from tap to tap in each of a network's convolutions."""

CONV_STATE_HOPS = (CONV_KERNEL - 1) * sum(CONV_DILATIONS)
"""Past hops that a network's convolutions need, all together."""

_MAX = {
    "window": 1 << 16,
    "width": 1 << 12,
    "blocks": 64,
    "mixer": 1 << 12,
    "points": 1 << 12,
    "lookahead": 256,
    "conv_channels": 256,
}
"""Setting -> its largest value, so that no file makes a program allocate without bound."""


@dataclass(frozen=True)
class NetworkConfig:
    """The hyperparameters of a causal network.

    Attributes:
        hop: frames per step.
        fade: frames of the crossfade into the next hop. ``hop + fade`` is the latency: the hop has to fill, and the
            end of its output waits for the next crossfade.
        window: frames of the analysis window; costs compute, no latency.
        width: hidden size per band.
        blocks: layers of time and band mixing.
        mixer: hidden size of the band mixing.
        points: mask bins per band.
        lookahead: future hops that a mask uses; each costs a hop of latency.
        conv_channels: channels of the convolutions over hops and mask bins before the encoder and after the decoder;
            0 for a network without them.

    Raises:
        ConfigError: a value out of its range.
    """

    hop: int = 512
    fade: int = 448
    window: int = 4096
    width: int = 80
    blocks: int = 4
    mixer: int = 64
    points: int = 12
    lookahead: int = 0
    conv_channels: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        sizes = self.hop, self.fade, self.width, self.blocks, self.mixer, self.points
        if min(sizes) < 1 or min(self.lookahead, self.conv_channels) < 0:
            raise ConfigError(f"a network's sizes must be positive, not {asdict(self)}")
        for name, largest in _MAX.items():
            if getattr(self, name) > largest:
                raise ConfigError(f"a network's {name} is at most {largest}, not {getattr(self, name)}")
        if self.window < 256 or self.window & (self.window - 1):
            raise ConfigError(
                f"a window of {self.window} frames is not a power of two of at least 256; try 2048 or 4096"
            )
        if self.fade > self.hop or self.hop + self.fade > self.window:
            raise ConfigError(
                f"a fade of {self.fade} frames does not fit: it must be at most a hop ({self.hop}), and both "
                f"together at most the window ({self.window})"
            )

    @property
    def latency(self) -> int:
        """Frames of delay between mix and stems when hops are written and read at once."""
        return self.fade + self.lookahead * self.hop

    @property
    def algorithmic_latency(self) -> int:
        """Frames of delay on an infinitely fast machine: the latency, plus a hop that has to fill."""
        return self.latency + self.hop

    def with_hop(self, hop: int) -> NetworkConfig:
        """Return the configuration of the same network at a shorter hop.

        >>> SIZES["live"].with_hop(128).algorithmic_latency
        256
        """
        return replace(self, hop=hop, fade=min(self.fade, hop))

    @property
    def bins(self) -> int:
        """FFT bins of the spectrum."""
        return self.window // 2 + 1


SIZES: Mapping[str, NetworkConfig] = {
    "instant": NetworkConfig(hop=128, fade=128, window=2048, width=72, blocks=3, mixer=48),
    "live": NetworkConfig(),
    "near": NetworkConfig(lookahead=7),
    "tiny": NetworkConfig(hop=64, fade=64, window=256, width=8, blocks=1, mixer=8, points=8),
}
"""Name of a size -> the size; ``near`` is ``live`` with 102 ms, ``tiny`` is for tests."""


def config_from(values: Mapping[str, Any]) -> NetworkConfig:
    """Return the configuration in a table, whose key ``size`` may name one of `SIZES` as a base.

    Raises:
        ConfigError: an unknown key or size, or a value that is not a whole number.

    >>> config_from({"size": "live", "width": 64}).width
    64
    """
    given = dict(values)
    name = given.pop("size", "live")
    if name not in SIZES:
        raise ConfigError(f"unknown network size {name!r}; choose one of {', '.join(SIZES)}")
    unknown = sorted(set(given) - set(asdict(SIZES[name])))
    if unknown:
        raise ConfigError(f"unknown network setting {unknown[0]!r}; choose one of {', '.join(asdict(SIZES[name]))}")
    for key, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"the network's {key} must be a whole number, not {value!r}")
    return NetworkConfig(**{**asdict(SIZES[name]), **given})


def states_by_stage(size: NetworkConfig, states: Sequence[T]) -> list[tuple[T, ...]]:
    """Return the states that each stage of a network has, of those of all stages in their order.

    Args:
        size: the network's configuration.
        states: of the convolutions before the encoder, of each block, and of the convolutions after the decoder.

    >>> states_by_stage(NetworkConfig(blocks=2), ["block 1", "block 2"])
    [(), ('block 1',), ('block 2',)]
    >>> states_by_stage(NetworkConfig(blocks=2, conv_channels=12), ["before", "block 1", "block 2", "after"])
    [('before',), ('block 1',), ('block 2', 'after')]
    """
    if not size.conv_channels:
        return [(), *((state,) for state in states)]
    first, *blocks, last = states
    return [(first,), *((state,) for state in blocks[:-1]), (blocks[-1], last)]
