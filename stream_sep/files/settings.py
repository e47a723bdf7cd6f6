"""The settings of a separation: model, weights and inference parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.separators import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_MODEL = "htdemucs"

PRECISIONS = ("float32", "bfloat16", "auto")


@dataclass(frozen=True)
class SeparationSettings:
    """Inference settings; names and meanings are those of the ``demucs`` command.

    Attributes:
        model: a Demucs model, or a separator for `load_separator`, such as ``causal-22ms``.
        repo: folder that holds the weights, or None.
        options: the options of a separator that is no Demucs model.
        shifts: number of passes to average, each shifted: by up to half a second, or by part of a hop.
        overlap: overlap of adjacent windows, 0 up to 1.
        segment: seconds of a window; the model's own unless given.
        seed: where the random shifts start.
        device: where torch computes: ``cpu``, ``cuda``, ``mps``, or ``auto``; separators without such an option
            compute on the CPU.
        precision: ``float32``; ``bfloat16``; or ``auto``, the fastest that stays within -50 dB of float32.
        threads: of torch; its own choice unless given.
        short_windows: whether a segment shorter than the model's own is computed as such, which saves memory; Demucs
            pads it with silence to the model's own.

    Raises:
        ConfigError: an invalid value.
    """

    model: str = DEFAULT_MODEL
    repo: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    shifts: int = 1
    overlap: float = 0.25
    segment: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    short_windows: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if self.shifts < 0:
            raise ConfigError(f"--shifts must be 0 or more, not {self.shifts}; Demucs uses 1")
        if not 0 <= self.overlap < 1:
            raise ConfigError(f"--overlap must be at least 0 and less than 1, not {self.overlap:g}; Demucs uses 0.25")
        if self.segment is not None and self.segment <= 0:
            raise ConfigError(f"--segment must be positive, not {self.segment:g}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"unknown precision {self.precision!r}; choose from {', '.join(PRECISIONS)}")

    def fingerprint(self) -> str:
        """Return a text that differs where the stems of the same song would differ by more than rounding.

        >>> SeparationSettings(seed=1).fingerprint() == SeparationSettings(seed=2).fingerprint()
        False
        >>> SeparationSettings(device="cpu").fingerprint() == SeparationSettings(device="cuda").fingerprint()
        True
        """
        parts = {
            "model": short_name(self.model),  # as in the keys of cached stems
            "options": dict(self.options),
            "shifts": self.shifts,
            "overlap": self.overlap,
            "segment": self.segment,
            "seed": self.seed if self.shifts else 0,
            "short": self.short_windows,
            "rough": self.precision == "bfloat16",
        }
        return json.dumps(parts, sort_keys=True, default=str)
