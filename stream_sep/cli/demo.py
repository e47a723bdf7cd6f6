"""``stream-sep demo``: the main job with nothing plugged in, the vocals out of a song and in again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import soundfile
import typer
from rich.console import Console

from stream_sep.backends.paced import PacedBackend
from stream_sep.cli.tui.plain_screen import Messages, print_counters, print_latency, show
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.errors import ConfigError, DeviceError
from stream_sep.evaluation.signals import delay_between
from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators import DEFAULT

if TYPE_CHECKING:
    from stream_sep.backends.base import AudioBackend
    from stream_sep.protocols import Block

_OUT_AT, _BACK_AT = 5.0, 10.0
_DOWN_DB = -90.0
_REDRAW_SECONDS = 0.05


def demo(
    out: Annotated[Path, typer.Option(help="folder for the mix and the stems")] = Path("stream-sep-demo"),
    model: Annotated[str, typer.Option(help="separator")] = DEFAULT,
    block_size: Annotated[int, typer.Option(help="frames a block")] = 128,
    seconds: Annotated[float, typer.Option(help="stop after so much of the song")] = 60.0,
    *,
    silent: Annotated[bool, typer.Option(help="do not look for a sound card")] = False,
) -> None:
    """Remove the vocals of a song while it plays: fader down after 5 s, up again after 10 s."""
    if seconds <= 0:
        raise ConfigError(f"--seconds {seconds} is not more than 0")
    song = load_demo_song()
    source = song.mix[:, : round(seconds * song.sample_rate)]
    messages = Messages()
    backend = _sound_card(song.sample_rate, block_size, messages) if not silent else None
    backend = backend or PacedBackend(song.sample_rate, block_size)
    engine = Engine(backend, EngineConfig(model=model, record=out), source=source, report=messages.tell)
    with engine, show(engine, messages, "stream-sep demo") as redraw:
        _play(engine, redraw)
    measured = _measured(engine, source, out)
    print_latency(engine.latency, measured)
    print_counters(engine)
    Console().print(
        f"written to {out}: mix.wav, {', '.join(f'{stem}.wav' for stem in engine.stems)}", highlight=False
    )


def _sound_card(sample_rate: int, block_size: int, messages: Messages) -> AudioBackend | None:
    from stream_sep.backends.portaudio import PortAudioBackend

    try:
        return PortAudioBackend(
            sample_rate=sample_rate, block_size=block_size, playback_only=True, report=messages.tell
        )
    except DeviceError as error:
        messages.tell(f"playing without a sound card ({error})")
        return None


def _play(engine: Engine, redraw) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - a callback of the screen
    rate, fader = engine.sample_rate, "stem/vocals/gain_db"
    engine.set("ramp_ms", 50)
    moves = [(_OUT_AT, _DOWN_DB), (_BACK_AT, 0.0)]
    while not engine.source_ended:
        played = engine.stats().counters["frames"] / rate
        while moves and played >= moves[0][0]:
            engine.set(fader, moves.pop(0)[1])
        redraw()
        time.sleep(_REDRAW_SECONDS)


def _measured(engine: Engine, source: Block, out: Path) -> int | None:
    """Return the delay found in the recording, which left out the frames the engine says it needs."""
    recorded = soundfile.read(out / "mix.wav", dtype="float32", always_2d=True)[0].T
    heard = min(round(_OUT_AT * engine.sample_rate), recorded.shape[1])
    if heard < engine.sample_rate:
        return None
    return engine.latency.total + delay_between(source[:, :heard], recorded[:, :heard])
