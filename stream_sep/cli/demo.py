"""``stream-sep demo``: the live engine on the bundled demo song."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import soundfile
import typer

from stream_sep.cli import engine_options as shared  # noqa: TC001 - typer reads them
from stream_sep.cli.arguments import choose_model, complete_model
from stream_sep.cli.interrupts import Interrupts
from stream_sep.cli.live import end_run
from stream_sep.cli.startup import starting
from stream_sep.cli.tui.plain_screen import Messages, show
from stream_sep.errors import ConfigError, DeviceError
from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators import SHORT_DEFAULT, short_name

if TYPE_CHECKING:
    from stream_sep.backends.base import AudioBackend
    from stream_sep.engine.engine import Engine
    from stream_sep.protocols import Block

_OUT_AT, _BACK_AT = 5.0, 10.0
_DOWN_DB = -90.0
_REDRAW_SECONDS = 0.05


def demo(
    out: Annotated[Path, typer.Option(help="folder for the mix and the stems")] = Path("stream-sep-demo"),
    model: Annotated[
        str, typer.Option(help="separator, see 'models list'", autocompletion=complete_model)
    ] = SHORT_DEFAULT,
    block_size: shared.BlockSize = 128,
    duration: Annotated[float, typer.Option(help="stop after this many seconds of the song")] = 60.0,
    *,
    no_audio: Annotated[bool, typer.Option("--no-audio", help="run without a sound card")] = False,
) -> None:
    """Play the bundled demo song through the live engine. Vocals fade out after 5 s and return after 10 s."""
    if duration <= 0:
        raise ConfigError(f"--duration {duration:g} must be positive")
    config = replace(choose_model(model, "", {}), record=out)
    song = load_demo_song()
    source = song.mix[:, : round(duration * song.sample_rate)]
    messages = Messages()
    backend = None if no_audio else _sound_card(song.sample_rate, block_size, messages)
    with Interrupts() as interrupts:
        with starting(short_name(str(config.model))):
            from stream_sep.backends.paced import PacedBackend
            from stream_sep.engine.engine import Engine

            backend = backend or PacedBackend(song.sample_rate, block_size)
            engine = Engine(backend, config, source=source, report=messages.add)
        with engine, show(engine, messages, "stream-sep demo") as redraw:
            _play(engine, redraw, interrupts.defer())
        written = engine.recording_folder
        measured = None if written is None else _measured(engine, source, written / "mix.wav")
        end_run(engine, interrupts, measured)


def _sound_card(sample_rate: int, block_size: int, messages: Messages) -> AudioBackend | None:
    from stream_sep.backends.portaudio import PortAudioBackend

    try:
        return PortAudioBackend(
            sample_rate=sample_rate, block_size=block_size, playback_only=True, report=messages.add
        )
    except DeviceError as error:
        messages.add(f"playing without a sound card ({error})")
        return None


def _play(engine: Engine, redraw, stopped: threading.Event) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - a callback of the screen
    rate, fader = engine.sample_rate, "stem/vocals/gain_db"
    engine.set("ramp_ms", 50)
    moves = [(_OUT_AT, _DOWN_DB), (_BACK_AT, 0.0)]
    while not engine.source_ended and not stopped.wait(_REDRAW_SECONDS):
        played = engine.stats().counters["frames"] / rate
        while moves and played >= moves[0][0]:
            engine.set(fader, moves.pop(0)[1])
        redraw()


def _measured(engine: Engine, source: Block, mix: Path) -> int | None:
    """Return the latency measured in the recording, which skips the engine's reported latency."""
    if not mix.exists():  # the run ended before anything was played
        return None
    recorded = soundfile.read(mix, dtype="float32", always_2d=True)[0].T
    compared = min(round(_OUT_AT * engine.sample_rate), recorded.shape[1])
    if compared < engine.sample_rate:
        return None
    from stream_sep.evaluation.signals import delay_between

    return engine.latency.total + delay_between(source[:, :compared], recorded[:, :compared])
