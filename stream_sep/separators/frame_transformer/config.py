"""The sizes of a frame transformer, validated once and stored with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.band_layout import RATE
from stream_sep.separators.causal.config import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMS = ("causal", "whole")
"""``causal`` streams with a cache of keys and values; ``whole`` attends to both sides, in windows of a file."""

MAX_WINDOW_SECONDS = 600.0
"""Windows of the form ``whole`` are shorter."""


@dataclass(frozen=True)
class FrameTransformerConfig:
    """The architecture of a frame transformer.

    Attributes:
        hop: frames per step.
        fade: frames in which a hop fades into the next, which add latency.
        window: frames of the past in each spectrum.
        points: mask points a band.
        lookahead: hops of the future that a mask is decided with; each costs a hop of latency.
        channels: channels of each level; every level has half the bands of the one before.
        modules: levels, from the first, that have a frame module.
        width: size of a frame's vector in attention.
        heads: attention heads; they divide the width.
        span: hops that a query attends to, its own included.
        blocks: transformer blocks of a frame module.
        bottleneck: channels that go into a frame module, and that it appends.
        hints: whether the masks of ``bands`` are an input, which the network corrects.
        complex: whether masks have an imaginary part.
        form: one of `FORMS`.
        window_seconds: of the form ``whole``: length of the windows that it separates. Unless ``span`` is given too,
            every frame of a window attends to all others.

    Raises:
        ConfigError: an invalid value.
    """

    hop: int = 512
    fade: int = 448
    window: int = 4096
    points: int = 12
    lookahead: int = 0
    channels: tuple[int, ...] = (64, 64, 64)
    modules: int = 3
    width: int = 128
    heads: int = 8
    span: int = 128
    blocks: int = 1
    bottleneck: int = 4
    hints: bool = True
    complex: bool = True
    form: str = "causal"
    window_seconds: float = 8.0

    def __post_init__(self) -> None:
        """Check the values."""
        sizes = (*self.channels, self.modules, self.width, self.heads, self.span, self.blocks, self.bottleneck)
        if not self.channels or min(sizes) < 1 or self.width % 4 or self.width % self.heads:
            raise ConfigError(
                f"a frame transformer needs positive sizes, and a width that 4 and heads divide, not {asdict(self)}"
            )
        if self.modules > len(self.channels):
            raise ConfigError(f"{self.modules} levels cannot have a frame module; there are {len(self.channels)}")
        if self.form not in FORMS:
            raise ConfigError(f"unknown form {self.form!r} of a frame transformer; choose {' or '.join(FORMS)}")
        if self.form == "whole" and self.lookahead:
            raise ConfigError("a frame transformer of the form 'whole' sees the future anyway; leave out lookahead")
        if not 0 < self.window_seconds < MAX_WINDOW_SECONDS:
            raise ConfigError(f"a window of {self.window_seconds:g} s is not possible; try 8")
        _ = self.front_end

    @property
    def front_end(self) -> NetworkConfig:
        """The spectra, features and mask points, which are those of a causal network."""
        return NetworkConfig(
            hop=self.hop, fade=self.fade, window=self.window, points=self.points, lookahead=self.lookahead, blocks=1
        )

    @property
    def full_span(self) -> int:
        """Hops in which every frame of a window lies, seen from any other: from its first to its last, and back."""
        hops = -(-(round(self.window_seconds * RATE) + self.front_end.latency) // self.hop)
        return 2 * hops - 1

    @property
    def reach(self) -> int:
        """Hops after which nothing of an earlier state is left in the network.

        A block reaches back through three attentions in a row, each with its kernel of 3 hops, and through the
        kernels of 11 and 7 hops between them; blocks and levels follow each other.
        """
        return self.modules * self.blocks * (3 * (self.span - 1 + 2) + 16)

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON holds them; those of the form ``whole`` only where they matter."""
        table = {**asdict(self), "channels": list(self.channels)}
        if self.form == "causal":
            table.pop("window_seconds")  # so that earlier versions read the weights
        return table


SIZES: Mapping[str, FrameTransformerConfig] = {
    "tiny": FrameTransformerConfig(
        hop=64, fade=64, window=256, points=8, channels=(8, 8), modules=2, width=8, heads=2, span=6, bottleneck=2
    ),
    "xs": FrameTransformerConfig(channels=(48, 48, 48), width=96, heads=6, span=96),
    "s": FrameTransformerConfig(),
    "m": FrameTransformerConfig(channels=(96, 128, 128, 128), modules=4, width=192, span=256, blocks=2),
    "l": FrameTransformerConfig(
        channels=(160, 192, 224, 256), modules=4, width=384, span=512, blocks=3, bottleneck=8
    ),
}
"""Sizes by name; ``tiny`` is for tests."""


def config_from(table: Mapping[str, Any]) -> FrameTransformerConfig:
    """Return the sizes written in a table, whose key ``size`` may name one of `SIZES` to begin with.

    Raises:
        ConfigError: an unknown key or size, or a value of another type.

    >>> config_from({"size": "xs", "span": 32}).span
    32
    """
    given = dict(table)
    name = given.pop("size", "s")
    if name not in SIZES:
        raise ConfigError(f"unknown frame transformer size {name!r}; choose one of: {', '.join(SIZES)}")
    known = {**asdict(SIZES[name]), "channels": list(SIZES[name].channels)}
    for key, value in given.items():
        if key not in known:
            raise ConfigError(f"a frame transformer has no setting {key!r}; it has: {', '.join(known)}")
        if not _is_like(value, known[key]):
            raise ConfigError(f"the frame transformer's {key} must be like {known[key]!r}, not {value!r}")
    if "channels" in given:
        given["channels"] = tuple(given["channels"])
    made = replace(SIZES[name], **given)
    return replace(made, span=made.full_span) if made.form == "whole" and "span" not in given else made


def _is_like(value: object, example: object) -> bool:
    if isinstance(example, list):
        return isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
    if isinstance(example, float):
        return type(value) in {int, float}
    return type(value) is type(example)
