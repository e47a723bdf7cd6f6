"""The latency of an engine, planned once at the start from the separator, the block size and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.audio.latency import VM_JITTER_MS, LatencyReport, adaptation_delay, fixed_prefill, slack_for
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from stream_sep.backends.base import AudioBackend
    from stream_sep.engine.config import EngineConfig
    from stream_sep.engine.worker.separator_info import SeparatorInfo


def plan_latency(info: SeparatorInfo, config: EngineConfig, backend: AudioBackend) -> LatencyReport:
    """Return the delays of an engine, without those of the device.

    They depend on the model, the sample rate, the block size and the settings, and on nothing that is measured: the
    same command has the same latency on every machine and on every day.

    Args:
        info: the separator's description.
        config: the engine's settings.
        backend: the audio backend.

    Raises:
        ConfigError: the separator's sample rate differs from the backend's.
    """
    if info.sample_rate != backend.sample_rate:
        raise ConfigError(f"the separator runs at {info.sample_rate} Hz, the sound at {backend.sample_rate} Hz")
    return LatencyReport(
        sample_rate=info.sample_rate,
        adaptation=adaptation_delay(backend.block_size, info.hop),
        slack=_slack(info, config, backend.block_size) if config.slack is None else config.slack,
        separator=info.latency,
    )


def extra_delay(info: SeparatorInfo, config: EngineConfig, latency: LatencyReport, block_size: int) -> int:
    """Return the frames to add to the planned ``latency`` when the block size has grown to ``block_size``.

    Args:
        info: the separator's description.
        config: the engine's settings.
        latency: as `plan_latency` returned it.
        block_size: frames of a block now.
    """
    adaptation = adaptation_delay(block_size, info.hop)
    slack = _slack(info, config, block_size) if config.slack is None else config.slack
    return max(adaptation + slack - latency.prefill, 0)


def _slack(info: SeparatorInfo, config: EngineConfig, block: int) -> int:
    if config.worker == "inline":  # a hop is computed between two blocks, however long that takes
        return slack_for(block, info.hop, compute=0) + block
    prefill = fixed_prefill(
        block, info.hop, info.sample_rate, compute_share=info.compute_share, jitter_ms=VM_JITTER_MS
    )
    return prefill - adaptation_delay(block, info.hop)
