"""``stream-sep play``: songs with every stem on a fader from the start, refined while they play."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_sep.cli import engine_options as shared  # noqa: TC001 - typer reads them
from stream_sep.cli.arguments import (
    check_sample_rate,
    choose_model,
    complete_model,
    parse_controls,
    parse_device,
    parse_on_failure,
    parse_options,
    parse_outputs,
    stems_of,
)
from stream_sep.cli.interrupts import Interrupts
from stream_sep.cli.live import check_backend, end_run, open_backend, stop_unless_started
from stream_sep.cli.startup import starting
from stream_sep.cli.surface_options import with_surface_options
from stream_sep.cli.surfaces import (
    ReaStreamTap,
    SurfaceOptions,
    build_surfaces,
    check_surfaces,
    start_surfaces,
)
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.cli.tui.plain_screen import Messages
from stream_sep.control.presets.library import load_preset
from stream_sep.control.presets.preset import Preset
from stream_sep.control.presets.watcher import follow_preset
from stream_sep.control.transport import FASTEST, OCTAVE, SLOWEST
from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.files.settings import DEFAULT_MODEL, SeparationSettings
from stream_sep.files.stem_cache import DEFAULT_GB
from stream_sep.files.tracks import find_tracks
from stream_sep.player.time_stretch import check_stretch
from stream_sep.separators import DEFAULT_FOR_SONGS, short_name

if TYPE_CHECKING:
    from stream_sep.backends.base import AudioBackend
    from stream_sep.player.engine import PlayEngine

_POLL_SECONDS = 0.1
_PORTAUDIO_ONLY = {
    "output_device": "--output",
    "sample_rate": "--sample-rate",
    "block_size": "--block-size",
    "outputs": "--outputs",
}
"""Parameter -> option that is determined by JACK."""


@with_surface_options
def play(
    ctx: typer.Context,
    songs: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="songs, and folders of songs")],
    output_device: shared.OutputDevice = "",
    model: Annotated[
        str, typer.Option(help="separator to use until refined stems are ready", autocompletion=complete_model)
    ] = DEFAULT_FOR_SONGS,
    refined_model: Annotated[
        str, typer.Option(help="model to refine with: one of Demucs, or of separate (default: htdemucs if present)")
    ] = "",
    repo: Annotated[Path | None, typer.Option(help="folder with the weights of --refined-model")] = None,
    device: Annotated[
        str, typer.Option("--device", "-d", help="device to refine on: cpu, cuda, mps or auto")
    ] = "auto",
    cache_gb: Annotated[float, typer.Option(help="gigabytes of refined stems to keep; 0 keeps none")] = DEFAULT_GB,
    start: Annotated[str, typer.Option(help="start position: seconds, or m:ss")] = "0",
    loop: Annotated[tuple[str, str] | None, typer.Option(help="A B: loop from A to B")] = None,
    speed: Annotated[float, typer.Option(help="playback speed, 0.5 to 2, at the same pitch")] = 1.0,
    pitch: Annotated[float, typer.Option(help="transpose by this many semitones")] = 0.0,
    sample_rate: shared.SampleRate = 44100,
    block_size: shared.BlockSize = 128,
    outputs: shared.Outputs = "",
    record: Annotated[Path | None, typer.Option(help="folder to record the output to, mix and stems")] = None,
    backend: shared.Backend = "portaudio",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the separator")] = None,
    stem_gain: shared.StemGain = None,
    on_failure: shared.OnFailure = "dry",
    preset: shared.PresetName = "",
    effect_latency: shared.EffectLatency = None,
    reastream: shared.ReaStream = "",
    *,
    surfaces: SurfaceOptions,
    no_refine: Annotated[bool, typer.Option("--no-refine", help="use the separator's stems throughout")] = False,
    no_audio: Annotated[bool, typer.Option("--no-audio", help="run without a sound card, in real time")] = False,
    auto_connect: shared.AutoConnect = False,
    duration: Annotated[float, typer.Option(help="stop after this many seconds; 0 plays to the end")] = 0.0,
) -> None:
    """Play songs with every stem on a fader from the first moment."""
    from stream_sep.backends.paced import PacedBackend
    from stream_sep.player.engine import PlayEngine
    from stream_sep.player.refiner import Refinement

    check_sample_rate(sample_rate)
    check_backend(backend, _PORTAUDIO_ONLY, ctx)
    config = choose_model(model, "", parse_options(option or []))
    stems = stems_of(str(config.model))
    transport = _initial_transport(start, loop, speed, pitch)
    faders = parse_controls(stem_gain or [], stems)
    chosen = load_preset(preset, stems=stems) if preset else Preset("")
    channels = parse_outputs(outputs, stems) if outputs else dict(chosen.outputs) or {"main": 1}
    check_surfaces(surfaces)
    paths = _existing([track.path for track in find_tracks(songs, Path("separated"))])
    messages = Messages()
    config = replace(
        config,
        record=record,
        chains=chosen.chains or None,
        chain_reserve=effect_latency,
        on_failure=parse_on_failure(on_failure),
    )
    settings = SeparationSettings(model=refined_model or DEFAULT_MODEL, repo=repo, device=device)
    refinement = None if no_refine else Refinement(settings, cache_gb, download=bool(refined_model))
    with Interrupts() as interrupts, ExitStack() as stack:
        if no_audio:
            driver: AudioBackend = PacedBackend(sample_rate, block_size)
        else:
            driver = open_backend(
                backend,
                connect=auto_connect,
                report=messages.add,
                output=parse_device(output_device),
                sample_rate=sample_rate,
                block_size=block_size,
                outputs=channels,
                playback_only=True,
            )
        taps = (ReaStreamTap(reastream, driver.sample_rate),) if reastream else ()
        for tap in taps:
            stack.callback(tap.close)
        with starting(short_name(str(config.model))):
            engine = PlayEngine(driver, paths, replace(config, taps=taps), refinement=refinement, report=messages.add)
        with stop_unless_started(engine):
            built = build_surfaces(engine, surfaces, messages.add)
            if preset:
                engine.apply_preset(load_preset(preset, stems=engine.stems))
            engine.controls.update({**faders, **transport})
        stack.enter_context(engine)
        if preset:
            stack.enter_context(follow_preset(preset, engine.apply_preset, engine.stems, messages.add))
        running = start_surfaces(built, surfaces, messages.add, stack)
        _run(
            engine,
            ControlPage(engine, running, messages, title="stream-sep play, Ctrl-C stops"),
            interrupts.defer(),
            duration,
        )
    end_run(engine, interrupts, with_latency=False)


def _existing(paths: list[Path]) -> list[Path]:
    for path in paths:
        if not path.exists():
            raise AudioFileError(f"file not found: {path}")
    return paths


def parse_time(text: str) -> float:
    """Return the seconds of a time such as ``90``, ``1:30`` or ``1:00:00.5``.

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
                raise ValueError(part)  # noqa: TRY301 - one message for every error
            total = 60 * total + number
    except ValueError as error:
        raise ConfigError(f"invalid time {text!r}; use seconds (90) or m:ss (1:30)") from error
    return total


def _initial_transport(
    start: str, loop: tuple[str, str] | None, speed: float, pitch: float
) -> dict[str, float | bool]:
    if not SLOWEST <= speed <= FASTEST:
        raise ConfigError(f"--speed {speed:g} is not from {SLOWEST:g} to {FASTEST:g}")
    if not -OCTAVE <= pitch <= OCTAVE:
        raise ConfigError(f"--pitch {pitch:g} is not from {-OCTAVE:g} to {OCTAVE:g} semitones")
    moves: dict[str, float | bool] = {"transport/speed": speed, "transport/pitch": pitch}
    seconds = parse_time(start)
    if loop is not None:
        begin, end = (parse_time(text) for text in loop)
        if end <= begin:
            raise ConfigError(f"--loop {loop[0]} {loop[1]} ends before it begins; use --loop 0:30 0:45")
        seconds = seconds or begin
        moves |= {"transport/loop/start": begin, "transport/loop/end": end, "transport/loop/on": True}
    if speed != 1 or pitch != 0:
        check_stretch()
    return moves | ({"transport/seek": seconds} if seconds else {})


def _run(engine: PlayEngine, page: ControlPage, stopped: threading.Event, seconds: float) -> None:
    """Run until the last song has ended, the user quits, or ``seconds`` have passed."""
    watcher = threading.Thread(target=_await_end, args=(engine, stopped), name="end of songs", daemon=True)
    watcher.start()
    page.run(stopped, seconds)
    stopped.set()
    watcher.join()


def _await_end(engine: PlayEngine, stopped: threading.Event) -> None:
    while not stopped.wait(_POLL_SECONDS):
        if engine.source_ended:
            stopped.set()
