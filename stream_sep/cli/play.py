"""``stream-sep play``: songs with every stem on a fader at once, refined while they play."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_sep.cli.bench import parse_options
from stream_sep.cli.live import device_of, open_driver, parse_control, parse_outputs, stop_on_signals
from stream_sep.cli.surface_options import with_surfaces
from stream_sep.cli.surfaces import ReaStreamTap, SurfaceOptions, build_surfaces, start_surfaces
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.cli.tui.plain_screen import Messages, print_counters
from stream_sep.control.presets.library import load_preset
from stream_sep.control.presets.preset import Preset
from stream_sep.control.presets.watcher import follow_preset
from stream_sep.control.transport import FASTEST, OCTAVE, SLOWEST
from stream_sep.engine.config import SAMPLE_RATES, EngineConfig
from stream_sep.errors import ConfigError
from stream_sep.files.settings import DEFAULT_MODEL, SeparationSettings
from stream_sep.files.stem_cache import DEFAULT_GB
from stream_sep.files.tracks import find_tracks
from stream_sep.player.time_stretch import check_stretch
from stream_sep.separators import DEFAULT

if TYPE_CHECKING:
    from stream_sep.backends.base import AudioBackend
    from stream_sep.player.engine import PlayEngine

_LOOK_SECONDS = 0.1


@with_surfaces
def play(
    songs: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="songs; folders with all below them")],
    output_device: Annotated[str, typer.Option("--output", "-o", help="output device: number or part of it")] = "",
    model: Annotated[str, typer.Option(help="separator that serves until refined stems are ready")] = DEFAULT,
    refined_model: Annotated[
        str, typer.Option(help="model to refine with, downloaded if need be [default: htdemucs, if it is here]")
    ] = "",
    repo: Annotated[Path | None, typer.Option(help="folder with the weights of that model")] = None,
    device: Annotated[str, typer.Option("--device", "-d", help="to refine on: cpu, cuda, mps, or auto")] = "auto",
    cache_gb: Annotated[float, typer.Option(help="gigabytes of refined stems to keep; 0 for none")] = DEFAULT_GB,
    start: Annotated[str, typer.Option(help="where to begin: seconds, or 1:30")] = "0",
    loop: Annotated[tuple[str, str] | None, typer.Option(help="A B: play from A to B over and over")] = None,
    speed: Annotated[float, typer.Option(help="0.5 is half as fast, at the same pitch")] = 1.0,
    pitch: Annotated[float, typer.Option(help="semitones, at the same speed")] = 0.0,
    sample_rate: Annotated[int, typer.Option(help="frames per second")] = 44100,
    block_size: Annotated[int, typer.Option(help="frames a block")] = 128,
    outputs: Annotated[str, typer.Option(help="channel map, such as main=1,vocals=3 [default: main=1]")] = "",
    record: Annotated[Path | None, typer.Option(help="folder to write what is heard to, mix and stems")] = None,
    backend: Annotated[str, typer.Option(help="portaudio, or jack for named ports")] = "portaudio",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the separator")] = None,
    stem_gain: Annotated[list[str] | None, typer.Option("--set", help="control=value, e.g. vocals=-60")] = None,
    preset: Annotated[str, typer.Option(help="set the faders from a preset: karaoke, acapella, ... or a file")] = "",
    chain_reserve: Annotated[int, typer.Option(help="frames of latency kept for effects that come later")] = -1,
    reastream: Annotated[str, typer.Option(help="HOST[:PORT] to send the stems to, for REAPER's ReaStream")] = "",
    *,
    surfaces: SurfaceOptions,
    no_refine: Annotated[bool, typer.Option("--no-refine", help="play the separator's stems all the time")] = False,
    no_device: Annotated[bool, typer.Option("--no-device", help="play with no sound card, in real time")] = False,
    connect: Annotated[bool, typer.Option(help="with JACK: connect to the system's ports")] = False,
    seconds: Annotated[float, typer.Option(help="stop after so long; 0 plays to the end")] = 0.0,
) -> None:
    """Play songs with every stem on a fader; the faders work from the first moment on."""
    from stream_sep.backends.paced import PacedBackend
    from stream_sep.player.engine import PlayEngine
    from stream_sep.player.refiner import Refinement

    if sample_rate not in SAMPLE_RATES:
        raise ConfigError(f"sample rate {sample_rate} Hz is none of {', '.join(map(str, SAMPLE_RATES))}")
    moves = _moves(start, loop, speed, pitch)
    faders = dict(parse_control(assignment) for assignment in stem_gain or [])
    chosen = load_preset(preset) if preset else Preset("")
    paths = [track.path for track in find_tracks(songs, Path("separated"))]
    messages = Messages()
    pairs = parse_outputs(outputs) if outputs else dict(chosen.outputs) or {"main": 1}
    if no_device:
        driver: AudioBackend = PacedBackend(sample_rate, block_size)
    else:
        driver = open_driver(
            backend,
            connect=connect,
            report=messages.tell,
            choices="portaudio or jack, or --no-device",
            output=device_of(output_device),
            sample_rate=sample_rate,
            block_size=block_size,
            outputs=pairs,
            playback_only=True,
        )
    taps = (ReaStreamTap(reastream, driver.sample_rate),) if reastream else ()
    config = EngineConfig(
        model=model,
        options=parse_options(option or []),
        record=record,
        taps=taps,
        chains=chosen.chains or None,
        chain_reserve=chain_reserve if chain_reserve >= 0 else None,
    )
    settings = SeparationSettings(model=refined_model or DEFAULT_MODEL, repo=repo, device=device)
    refinement = Refinement(settings, cache_gb, download=bool(refined_model))
    engine = PlayEngine(driver, paths, config, refinement=None if no_refine else refinement, report=messages.tell)
    built = build_surfaces(engine, surfaces, messages.tell)
    if preset:
        engine.take(load_preset(preset, stems=engine.stems))
    engine.controls.update({**faders, **moves})
    with ExitStack() as stack:
        for tap in taps:
            stack.callback(tap.close)
        stack.enter_context(engine)
        if preset:
            stack.enter_context(follow_preset(preset, engine.take, engine.stems, messages.tell))
        running = start_surfaces(built, surfaces, messages.tell, stack)
        _run(engine, ControlPage(engine, running, messages, title="stream-sep play, Ctrl-C stops"), seconds)
    print_counters(engine)


def parse_time(text: str) -> float:
    """Return the seconds that ``90``, ``1:30`` or ``1:00:00.5`` mean.

    Raises:
        ConfigError: not of that form.

    >>> parse_time("1:30.5"), parse_time("7")
    (90.5, 7.0)
    """
    total = 0.0
    try:
        for part in text.split(":"):
            number = float(part)
            if not 0 <= number < 1e6:
                raise ValueError(part)  # noqa: TRY301 - one sentence for whatever is wrong
            total = 60 * total + number
    except ValueError as error:
        raise ConfigError(f"{text!r} is no time: say seconds, 90, or minutes and seconds, 1:30") from error
    return total


def _moves(start: str, loop: tuple[str, str] | None, speed: float, pitch: float) -> dict[str, float | bool]:
    if not SLOWEST <= speed <= FASTEST:
        raise ConfigError(f"--speed {speed:g} is not from {SLOWEST:g} to {FASTEST:g}")
    if not -OCTAVE <= pitch <= OCTAVE:
        raise ConfigError(f"--pitch {pitch:g} is not from {-OCTAVE:g} to {OCTAVE:g} semitones")
    moves: dict[str, float | bool] = {"transport/speed": speed, "transport/pitch": pitch}
    seconds = parse_time(start)
    if loop is not None:
        begin, end = (parse_time(text) for text in loop)
        if end <= begin:
            raise ConfigError(f"--loop {loop[0]} {loop[1]} ends before it begins; say --loop 0:30 0:45")
        seconds = seconds or begin
        moves |= {"transport/loop/start": begin, "transport/loop/end": end, "transport/loop/on": True}
    if speed != 1 or pitch != 0:
        check_stretch()
    return moves | ({"transport/seek": seconds} if seconds else {})


def _run(engine: PlayEngine, page: ControlPage, seconds: float) -> None:
    """Stay until the last song has ended, somebody quits, or ``seconds`` have passed."""
    stopped = stop_on_signals()
    watcher = threading.Thread(target=_await_end, args=(engine, stopped), name="end of songs", daemon=True)
    watcher.start()
    page.run(stopped, seconds)
    stopped.set()
    watcher.join()


def _await_end(engine: PlayEngine, stopped: threading.Event) -> None:
    while not stopped.wait(_LOOK_SECONDS):
        if engine.source_ended:
            stopped.set()
