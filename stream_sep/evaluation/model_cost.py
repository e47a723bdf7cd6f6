"""The cost of a separator: latency, time for a hop, and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.evaluation.bench_engine import time_hops
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.protocols import Separator


@dataclass(frozen=True)
class ModelCost:
    """A scored separator and its cost.

    Attributes:
        name: as it is called in tables.
        options: its options.
        latency_ms: algorithmic latency: its own, and a hop to fill.
        hop_ms: how long a hop is.
        p50_ms: median time to compute a hop.
        p99_ms: how long in slow moments.
        real_time_factor: share of a core.
        weights: number of parameters.
        megabytes: size of their file.
    """

    name: str
    options: Mapping[str, Any]
    latency_ms: float
    hop_ms: float
    p50_ms: float
    p99_ms: float
    real_time_factor: float
    weights: int = 0
    megabytes: float = 0.0


def measure_cost(name: str, model: str, options: Mapping[str, Any], sample_rate: int = 44100) -> ModelCost:
    """Load a separator and time it on noise, on this machine as it is now.

    Args:
        name: for the row.
        model: the separator's name.
        options: the separator's options.
        sample_rate: frames per second.
    """
    separator: Separator = load_separator(model, sample_rate, **options)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 10 * sample_rate)).astype(np.float32)
    times = time_hops(separator, noise)
    count, size = getattr(separator, "weights", (0, 0))
    return ModelCost(
        name,
        dict(options),
        1000 * (separator.latency + separator.hop) / sample_rate,
        times["hop_ms"],
        times["p50_ms"],
        times["p99_ms"],
        times["real_time_factor"],
        count,
        size / 2**20,
    )
