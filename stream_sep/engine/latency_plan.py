"""How long an engine makes the sound wait, decided once at the start: what a separator owes at a block size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stream_sep.audio.latency import (
    HEADROOM,
    JITTER_MS,
    SHARED_JITTER_MS,
    LatencyReport,
    adaptation_delay,
    jitter_for,
    slack_for,
)
from stream_sep.errors import ConfigError
from stream_sep.lowlevel.cpu_steal import stolen_seconds

if TYPE_CHECKING:
    from stream_sep.backends.base import AudioBackend
    from stream_sep.engine.config import EngineConfig
    from stream_sep.engine.worker.hop_worker import SeparatorInfo


def plan(info: SeparatorInfo, config: EngineConfig, backend: AudioBackend) -> LatencyReport:
    """Return the delays of an engine, without those of the device.

    Raises:
        ConfigError: the separator does not fit the sound.
    """
    if info.channels != 2:
        raise ConfigError(f"the separator works on {info.channels} channels, the engine on 2")
    if info.sample_rate != backend.sample_rate:
        raise ConfigError(f"the separator runs at {info.sample_rate} Hz, the sound at {backend.sample_rate} Hz")
    return LatencyReport(
        sample_rate=info.sample_rate,
        adaptation=adaptation_delay(backend.block_size, info.hop),
        slack=_slack(info, config, backend.block_size) if config.slack is None else config.slack,
        separator=info.latency,
    )


def _slack(info: SeparatorInfo, config: EngineConfig, block: int) -> int:
    if config.worker == "inline":  # a hop is computed between two blocks, however long that takes
        return slack_for(block, info.hop, compute=0) + block
    compute = min(math.ceil(HEADROOM * info.hop_seconds * info.sample_rate), info.hop)
    jitter_ms = SHARED_JITTER_MS if stolen_seconds() else JITTER_MS
    return slack_for(block, info.hop, compute) + jitter_for(block, info.sample_rate, jitter_ms)
