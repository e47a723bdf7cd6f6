"""The settings of an engine, checked once, and the latency classes a user picks by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from stream_sep.errors import ConfigError
from stream_sep.separators import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stream_sep.effects.chained_separator import Chains
    from stream_sep.protocols import Block, Separator

SAMPLE_RATES = (44100, 48000, 88200, 96000)
"""Sample rates a live engine runs at."""

LATENCY_CLASSES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "instant": ("causal-6ms", {}),
    "live": (DEFAULT, {}),
    "quality": ("demucs", {"model": "htdemucs"}),
}
"""Name of a latency class -> the separator that serves it best today, and its options."""


ON_FAILURE: Mapping[str, str] = {
    "dry": "the dry sound plays",
    "mute": "nothing plays",
    "fade": "the dry sound fades out",
}
"""Choice of what plays while stems are missing -> how sentences for the user call it."""


@dataclass(frozen=True)
class EngineConfig:
    """How an engine runs.

    Attributes:
        model: the separator, as for `load_separator`; or a separator of your own, for a ``thread`` or ``inline``.
        options: the separator's options, where it is given by name.
        worker: where it runs: its own ``process``, a ``thread``, or ``inline`` between blocks.
        fallback: the separator to go on with where ``model`` cannot be loaded; None refuses instead.
        slack: frames bought for computing; None measures the separator and buys what it needs.
        fade_ms: length of the crossfade between stems and dry sound.
        hold_ms: how long stems must be there again after a miss before they are trusted.
        on_failure: what plays while stems are missing, as after a crash, and faders are not at unity: the ``dry``
            sound; nothing (``mute``); or the dry sound that fades away in a second (``fade``).
        record: folder to write the mix and the stems to, or None; where it has a take, this one goes to ``take-2``,
            or the next, in it.
        taps: functions that are given all that is played, float32 ``(2 * (1 + stems), frames)``, the mix first, soon
            after it was, on a thread of their own.
        chains: effects behind the stems, stem -> list of ``{"plugin": ..., "parameters": {...}}``; see `ChainSpec`.
        chain_reserve: frames of latency kept for effects that come later; what ``chains`` needs unless given. With
            neither there can be no effects.

    Raises:
        ConfigError: a value that makes no sense.
    """

    model: str | Separator = DEFAULT
    options: Mapping[str, Any] = field(default_factory=dict)
    worker: Literal["process", "thread", "inline"] = "process"
    fallback: str | None = None
    slack: int | None = None
    fade_ms: float = 6.0
    hold_ms: float = 100.0
    on_failure: Literal["dry", "mute", "fade"] = "dry"
    record: Path | None = None
    taps: tuple[Callable[[Block], object], ...] = ()
    chains: Chains | None = None
    chain_reserve: int | None = None

    def __post_init__(self) -> None:
        """Refuse nonsense in a sentence."""
        if self.worker not in {"process", "thread", "inline"}:
            raise ConfigError(f"worker {self.worker!r} is none of process, thread, inline")
        if not isinstance(self.model, str) and (self.worker == "process" or self.options):
            raise ConfigError(
                "a separator that is built already has its options and cannot move to a process; say "
                "worker='thread', or name a function that builds it, as 'package.module:factory'"
            )
        if self.on_failure not in ON_FAILURE:
            raise ConfigError(f"on_failure {self.on_failure!r} is none of {', '.join(ON_FAILURE)}")
        if self.slack is not None and self.slack < 0:
            raise ConfigError(f"slack {self.slack} frames is negative; leave it out to have it measured")
        if not (0 < self.fade_ms <= 1000 and 0 <= self.hold_ms <= 60000):
            raise ConfigError(f"fade {self.fade_ms} ms must be in 0..1000 and hold {self.hold_ms} ms in 0..60000")

    @property
    def chained(self) -> bool:
        """Whether there can be effects."""
        return self.chains is not None or self.chain_reserve is not None


def for_latency_class(name: str) -> EngineConfig:
    """Return the settings of the latency class called ``name``.

    Raises:
        ConfigError: there is no such class.

    >>> for_latency_class("live").model
    'causal-22ms'
    """
    if name not in LATENCY_CLASSES:
        raise ConfigError(f"unknown latency class {name!r}; choose from {', '.join(LATENCY_CLASSES)}")
    model, options = LATENCY_CLASSES[name]
    return EngineConfig(model=model, options=options)
