"""``stream-sep live``: a sound card or JACK in, stems on faders, a sound card or JACK out."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

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
from stream_sep.cli.jack_notice import report_if_unconnected
from stream_sep.cli.startup import starting
from stream_sep.cli.summary import print_summary
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
from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.separators import check_separator, short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream_sep.backends.base import AudioBackend
    from stream_sep.backends.jack import JackBackend
    from stream_sep.engine.engine import Engine

_SMALL = frozenset({"bands", "causal-6ms", "causal-22ms", "causal-100ms", "studio"})
"""Separators that run without torch, of which a second one costs little."""

_PORTAUDIO_ONLY = {
    "input_device": "--input",
    "output_device": "--output",
    "sample_rate": "--sample-rate",
    "block_size": "--block-size",
    "outputs": "--outputs",
    "shared_clock": "--shared-clock",
    "resampler_ms": "--resampler-ms",
}
"""Parameter -> option that is determined by JACK."""


@with_surface_options
def live(
    ctx: typer.Context,
    input_device: Annotated[str, typer.Option("--input", "-i", help="input device: number or part of its name")] = "",
    output_device: shared.OutputDevice = "",
    model: Annotated[
        str, typer.Option(help="separator, see 'models list' (default: live)", autocompletion=complete_model)
    ] = "",
    latency_class: Annotated[
        str,
        typer.Option(
            help="instant (15 ms in all), live (31 ms, the default), near (112 ms) or quality (Demucs, about 1 s)"
        ),
    ] = "",
    sample_rate: shared.SampleRate = 44100,
    block_size: shared.BlockSize = 128,
    slack: Annotated[
        int | None, typer.Option(help="output buffering in frames, in place of what the model needs", min=0)
    ] = None,
    outputs: shared.Outputs = "",
    record: Annotated[Path | None, typer.Option(help="folder to record the mix and the stems to")] = None,
    backend: shared.Backend = "portaudio",
    fallback: Annotated[str, typer.Option(help="separator to use if the model cannot be loaded")] = "",
    on_failure: shared.OnFailure = "dry",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the separator, such as hop_ms=500")] = None,
    repo: Annotated[Path | None, typer.Option(help="folder with Demucs weights")] = None,
    stem_gain: shared.StemGain = None,
    preset: shared.PresetName = "",
    effect_latency: shared.EffectLatency = None,
    reastream: shared.ReaStream = "",
    *,
    surfaces: SurfaceOptions,
    standby: Annotated[
        bool | None,
        typer.Option(
            "--standby/--no-standby",
            help="keep a second separator loaded, to be back sooner after a crash (default: where it takes 90 MB)",
        ),
    ] = None,
    shared_clock: Annotated[bool, typer.Option(help="input and output share one clock")] = False,
    resampler_ms: Annotated[float, typer.Option(help="latency of drift compensation between two devices")] = 20.0,
    auto_connect: shared.AutoConnect = False,
    duration: Annotated[float, typer.Option(help="stop after this many seconds; 0 plays until Ctrl-C")] = 0.0,
) -> None:
    """Separate live input, with every stem on a fader; Ctrl-C stops."""
    check_sample_rate(sample_rate)
    check_backend(backend, _PORTAUDIO_ONLY, ctx)
    options = {**parse_options(option or []), **({"repo": str(repo)} if repo else {})}
    config = choose_model(model, latency_class, options)
    if fallback:
        check_separator(fallback)
    stems = stems_of(str(config.model))
    faders = parse_controls(stem_gain or [], stems)
    chosen = load_preset(preset, stems=stems) if preset else Preset("")
    channels = parse_outputs(outputs, stems) if outputs else dict(chosen.outputs) or {"main": 1}
    check_surfaces(surfaces)
    messages = Messages()
    config = replace(
        config,
        record=record,
        fallback=fallback or None,
        slack=slack,
        chains=chosen.chains or None,
        chain_reserve=effect_latency,
        on_failure=parse_on_failure(on_failure),
        standby=config.model in _SMALL if standby is None else standby,
    )
    with Interrupts() as interrupts, ExitStack() as stack:
        driver = open_backend(
            backend,
            connect=auto_connect,
            report=messages.add,
            input=parse_device(input_device),
            output=parse_device(output_device),
            sample_rate=sample_rate,
            block_size=block_size,
            outputs=channels,
            one_clock=shared_clock,
            drift_ms=resampler_ms,
        )
        taps = (ReaStreamTap(reastream, driver.sample_rate),) if reastream else ()
        for tap in taps:
            stack.callback(tap.close)
        with starting(short_name(str(config.model))):
            from stream_sep.engine.engine import Engine

            engine = Engine(driver, replace(config, taps=taps), report=messages.add)
        with stop_unless_started(engine):
            built = build_surfaces(engine, surfaces, messages.add)
            if preset:
                engine.apply_preset(load_preset(preset, stems=engine.stems))
            engine.controls.update(faders)
        stack.enter_context(engine)
        if preset:
            stack.enter_context(follow_preset(preset, engine.apply_preset, engine.stems, messages.add))
        if backend == "jack":
            stack.callback(report_if_unconnected(cast("JackBackend", driver), messages.add))
        running = start_surfaces(built, surfaces, messages.add, stack)
        ControlPage(engine, running, messages).run(interrupts.defer(), duration)
    end_run(engine, interrupts)


def check_backend(backend: str, decided_by_jack: dict[str, str], ctx: typer.Context) -> None:
    """Reject an unknown backend, and options on the command line that JACK determines.

    Raises:
        ConfigError: either of the two.
    """
    if backend not in {"portaudio", "jack"}:
        raise ConfigError(f"unknown backend {backend!r}; choose portaudio or jack")
    for parameter, option in decided_by_jack.items() if backend == "jack" else ():
        source = ctx.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            raise ConfigError(f"{option} has no effect with --backend jack: set it in the JACK server or its graph")


def open_backend(
    name: str,
    *,
    connect: bool,
    report: Callable[[str], None],
    **device: Any,  # noqa: ANN401 - as PortAudioBackend takes them
) -> AudioBackend:
    """Return the backend of a name.

    Raises:
        DeviceError: the device does not support the settings.
    """
    if name == "jack":
        from stream_sep.backends.jack import JackBackend

        return JackBackend(connect=connect, report=report)
    from stream_sep.backends.portaudio import PortAudioBackend

    return PortAudioBackend(report=report, **device)


@contextmanager
def stop_unless_started(engine: Engine) -> Iterator[None]:
    """Stop an engine if an error occurs before its start, to release its memory and its process."""
    try:
        yield
    except BaseException:
        engine.stop()
        raise


def end_run(
    engine: Engine, interrupts: Interrupts, measured: int | None = None, *, with_latency: bool = True
) -> None:
    """Print the summary and exit with the right code, after an engine has stopped.

    Args:
        engine: the engine.
        interrupts: holds the signal that ended the run, if any.
        measured: as for `print_summary`.
        with_latency: as for `print_summary`.

    Raises:
        Exit: typer's own, with 128 and the number of the signal that ended the run, or 1 where its recording failed.
    """
    print_summary(engine, measured, with_latency=with_latency)
    if engine.recording_error is not None:
        raise AudioFileError(engine.recording_error)
    if engine.recording_folder is not None:
        names = ", ".join(f"{name}.wav" for name in ("mix", *engine.stems))
        Console(soft_wrap=True).print(f"written to {engine.recording_folder}: {names}", highlight=False, markup=False)
    interrupts.exit()
