"""The settings of an engine, checked once, and the latency classes that users select by name."""

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
"""Sample rates that a live engine supports."""

LATENCY_CLASSES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "instant": ("causal-6ms", {}),
    "live": (DEFAULT, {}),
    "near": ("causal-100ms", {}),
    "quality": ("demucs", {"model": "htdemucs"}),
}
"""Name of a latency class -> its separator, and the separator's options."""


ON_FAILURE: Mapping[str, str] = {
    "dry": "the dry sound plays",
    "mute": "nothing plays",
    "fade": "the dry sound fades out",
}
"""Choice of what plays while stems are missing -> its wording in messages to the user."""


@dataclass(frozen=True)
class EngineConfig:
    """How an engine runs.

    Attributes:
        model: the separator, as for `load_separator`; or a separator object, for a ``thread`` or ``inline`` worker.
        options: the separator's options, where it is given by name.
        worker: where it runs: in its own ``process``, in a ``thread``, or ``inline`` between blocks.
        fallback: the separator to use if ``model`` cannot be loaded; None raises the error instead.
        slack: output buffering in frames, instead of the separator's requirement at this block size.
        fade_ms: length of the crossfade between stems and dry sound.
        hold_ms: how long stems must have arrived in time after a miss before they are played again.
        on_failure: what plays while stems are missing, as after a crash, and faders are not at unity: the ``dry``
            sound; nothing (``mute``); or the dry sound that fades away in a second (``fade``).
        standby: whether to keep a second process with the separator loaded, which takes over when the first one ends;
            it costs the memory of one (`PlayEngine` needs none, as it separates ahead).
        record: folder to write the mix and the stems to, or None; if it holds a take already, this one goes to
            ``take-2`` in it, or the next free one.
        taps: callbacks that receive all audio soon after it is played, float32 ``(2 * (1 + stems), frames)``, the mix
            first, on their own thread.
        chains: effects on the stems, stem -> list of ``{"plugin": ..., "parameters": {...}}``; see `ChainSpec`.
        chain_reserve: frames of latency reserved for effects added later; by default, that of ``chains``. With
            neither, effects are not available.

    Raises:
        ConfigError: an invalid value.
    """

    model: str | Separator = DEFAULT
    options: Mapping[str, Any] = field(default_factory=dict)
    worker: Literal["process", "thread", "inline"] = "process"
    fallback: str | None = None
    slack: int | None = None
    fade_ms: float = 6.0
    hold_ms: float = 100.0
    on_failure: Literal["dry", "mute", "fade"] = "dry"
    standby: bool = False
    record: Path | None = None
    taps: tuple[Callable[[Block], object], ...] = ()
    chains: Chains | None = None
    chain_reserve: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.worker not in {"process", "thread", "inline"}:
            raise ConfigError(f"worker {self.worker!r} is none of process, thread, inline")
        if not isinstance(self.model, str) and (self.worker == "process" or self.options):
            raise ConfigError(
                "a separator object takes no options and cannot run in another process; use worker='thread', or name "
                "a function that builds it, as 'package.module:factory'"
            )
        if self.standby and self.worker != "process":
            raise ConfigError(f"a stand-by is a process, and worker is {self.worker!r}; use worker='process'")
        if self.on_failure not in ON_FAILURE:
            raise ConfigError(f"on_failure {self.on_failure!r} is none of {', '.join(ON_FAILURE)}")
        if self.slack is not None and self.slack < 0:
            raise ConfigError(f"slack {self.slack} frames is negative; leave it out to use what the model needs")
        if not (0 < self.fade_ms <= 1000 and 0 <= self.hold_ms <= 60000):
            raise ConfigError(f"fade {self.fade_ms} ms must be in 0..1000 and hold {self.hold_ms} ms in 0..60000")

    @property
    def chained(self) -> bool:
        """Whether effects are available."""
        return self.chains is not None or self.chain_reserve is not None

    def fade_frames(self, sample_rate: int) -> int:
        """Return the length of the crossfade, at least one frame."""
        return _frames(self.fade_ms, sample_rate)

    def hold_frames(self, sample_rate: int) -> int:
        """Return how long stems must be ready again before they fade in; 0 for at once."""
        return _frames(self.hold_ms, sample_rate) if self.hold_ms else 0


def _frames(milliseconds: float, sample_rate: int) -> int:
    return max(1, round(milliseconds * sample_rate / 1000))


def for_latency_class(name: str) -> EngineConfig:
    """Return the settings of the latency class ``name``.

    Raises:
        ConfigError: unknown class.

    >>> for_latency_class("live").model
    'causal-22ms'
    """
    if name not in LATENCY_CLASSES:
        raise ConfigError(f"unknown latency class {name!r}; choose from {', '.join(LATENCY_CLASSES)}")
    model, options = LATENCY_CLASSES[name]
    return EngineConfig(model=model, options=options)
