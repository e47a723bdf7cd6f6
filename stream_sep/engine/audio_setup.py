"""The state of the audio thread, from the settings of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.audio.state import DRY, FADE, MUTE, AudioState
from stream_sep.backends.base import max_block

if TYPE_CHECKING:
    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.backends.base import AudioBackend
    from stream_sep.engine.config import EngineConfig
    from stream_sep.engine.stem_source import StemSource
    from stream_sep.protocols import Block

_RECORD_SECONDS = 2.0
_FADE_OUT_SECONDS = 1.0


def audio_state_for(
    config: EngineConfig, backend: AudioBackend, stem_source: StemSource, rings: SharedRings, source: Block | None
) -> AudioState:
    """Return the state with which the audio thread starts.

    Args:
        config: the engine's settings.
        backend: runs the audio thread.
        stem_source: outputs the stems.
        rings: shared with its worker.
        source: ``(2, frames)`` to play in place of the backend's input, or None.
    """
    stems, latency, rate = stem_source.worker.info.stems, stem_source.latency, backend.sample_rate
    is_recording = config.record is not None or bool(config.taps) or backend.wants_recording
    return AudioState(
        rings,
        prefill=latency.prefill,
        delay=latency.engine,
        carrier=len(stems) - 1,
        max_block=max_block(backend),
        inputs=backend.inputs,
        input_map=backend.input_map,
        output_map=backend.output_map(stems),
        fade=config.fade_frames(rate),
        hold=config.hold_frames(rate),
        record_frames=round(_RECORD_SECONDS * rate) if is_recording else 0,
        source=source,
        prerendered=stem_source.is_prerendered,
        stems_sum_to_mix=not config.chained,
        on_failure={"dry": DRY, "mute": MUTE, "fade": FADE}[config.on_failure],
        fade_out=round(_FADE_OUT_SECONDS * rate),
    )
