"""The status of an engine among its controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.separators import short_name

if TYPE_CHECKING:
    from stream_sep.audio.latency import LatencyReport
    from stream_sep.backends.base import AudioBackend
    from stream_sep.control.state import ControlState
    from stream_sep.engine.stats import EngineStats
    from stream_sep.protocols import Separator


class Status:
    """Publishes an engine's status for surfaces: model, device, latency, load and errors.

    Args:
        controls: the engine's controls, those of `parameters_for` among them.
        model: the separator, as in `EngineConfig`.
        backend: the audio backend.
        hop_ms: length of a hop, the budget to compute it in.
    """

    def __init__(self, controls: ControlState, model: str | Separator, backend: AudioBackend, hop_ms: float) -> None:
        self._controls, self._hop_ms = controls, hop_ms
        self._model = short_name(model) if isinstance(model, str) else "own"
        self._device = type(backend).__name__.removesuffix("Backend").lower()
        self._dry_frames = 0

    def publish(self, stats: EngineStats, latency: LatencyReport) -> None:
        """Update the controls.

        Args:
            stats: the counters now.
            latency: the latency now.
        """
        dry, before = stats.counters["dry_frames"], self._dry_frames
        self._controls.publish(
            {
                "engine/model": self._model,
                "engine/device": self._device,
                "engine/state": "dry" if dry > before else "running",
                "engine/latency_frames": latency.total,
                "engine/latency_ms": latency.milliseconds(latency.total),
                "engine/load": round(stats.hop_ms[0] / self._hop_ms, 5),
                "engine/late_hops": stats.late_hops,
                "engine/xruns": stats.xruns,
                "engine/dry_frames": dry,
                "engine/restarts": stats.restarts,
            }
        )
        self._dry_frames = dry
