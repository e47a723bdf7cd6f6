"""``stream-sep live``: a sound card or JACK in, stems on faders, a sound card or JACK out."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_sep.cli.bench import parse_options
from stream_sep.cli.surface_options import with_surfaces
from stream_sep.cli.surfaces import ReaStreamTap, SurfaceOptions, build_surfaces, start_surfaces
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.cli.tui.plain_screen import Messages, print_counters, print_latency
from stream_sep.control.presets.library import load_preset
from stream_sep.control.presets.preset import Preset
from stream_sep.control.presets.watcher import follow_preset
from stream_sep.engine.config import SAMPLE_RATES, EngineConfig, for_latency_class
from stream_sep.engine.engine import Engine
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.backends.base import AudioBackend


@with_surfaces
def live(
    input_device: Annotated[str, typer.Option("--input", "-i", help="input device: number or part of its name")] = "",
    output_device: Annotated[str, typer.Option("--output", "-o", help="output device: number or part of it")] = "",
    model: Annotated[str, typer.Option(help="separator; see also --latency-class")] = "",
    latency_class: Annotated[str, typer.Option(help="instant (6 ms), live (23 ms), or quality (Demucs)")] = "live",
    sample_rate: Annotated[int, typer.Option(help="frames per second")] = 44100,
    block_size: Annotated[int, typer.Option(help="frames a block")] = 128,
    slack: Annotated[int, typer.Option(help="frames bought for computing; measured unless given")] = -1,
    outputs: Annotated[str, typer.Option(help="channel map, such as main=1,vocals=3 [default: main=1]")] = "",
    record: Annotated[Path | None, typer.Option(help="folder to write the mix and the stems to")] = None,
    backend: Annotated[str, typer.Option(help="portaudio, or jack for named ports")] = "portaudio",
    fallback: Annotated[str, typer.Option(help="separator to go on with where the model cannot be loaded")] = "",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the separator, e.g. hop_ms=500")] = None,
    repo: Annotated[Path | None, typer.Option(help="folder with Demucs' weights")] = None,
    stem_gain: Annotated[list[str] | None, typer.Option("--set", help="control=value, e.g. vocals=-60")] = None,
    preset: Annotated[str, typer.Option(help="set the faders from a preset: karaoke, acapella, ... or a file")] = "",
    chain_reserve: Annotated[int, typer.Option(help="frames of latency kept for effects that come later")] = -1,
    reastream: Annotated[str, typer.Option(help="HOST[:PORT] to send the stems to, for REAPER's ReaStream")] = "",
    *,
    surfaces: SurfaceOptions,
    one_clock: Annotated[bool, typer.Option(help="the two devices are halves of one card")] = False,
    drift_ms: Annotated[float, typer.Option(help="latency kept between the clocks of two devices")] = 20.0,
    connect: Annotated[bool, typer.Option(help="with JACK: connect to the system's ports")] = False,
    seconds: Annotated[float, typer.Option(help="stop after so long; 0 plays until Ctrl-C")] = 0.0,
) -> None:
    """Separate what comes in while it plays; Ctrl-C stops."""
    if sample_rate not in SAMPLE_RATES:
        raise ConfigError(f"sample rate {sample_rate} Hz is none of {', '.join(map(str, SAMPLE_RATES))}")
    config = EngineConfig(model=model) if model else for_latency_class(latency_class)
    options = {**config.options, **parse_options(option or []), **({"repo": str(repo)} if repo else {})}
    config = replace(config, options=options, record=record, fallback=fallback or None)
    config = replace(config, slack=slack if slack >= 0 else None)
    faders = dict(parse_control(assignment) for assignment in stem_gain or [])
    messages = Messages()
    chosen = load_preset(preset) if preset else Preset("")
    reserve = chain_reserve if chain_reserve >= 0 else None
    config = replace(config, chains=chosen.chains or None, chain_reserve=reserve)
    driver = open_driver(
        backend,
        connect=connect,
        report=messages.tell,
        input=device_of(input_device),
        output=device_of(output_device),
        sample_rate=sample_rate,
        block_size=block_size,
        outputs=parse_outputs(outputs) if outputs else dict(chosen.outputs) or {"main": 1},
        one_clock=one_clock,
        drift_ms=drift_ms,
    )
    taps = (ReaStreamTap(reastream, driver.sample_rate),) if reastream else ()
    engine = Engine(driver, replace(config, taps=taps), report=messages.tell)
    built = build_surfaces(engine, surfaces, messages.tell)
    if preset:
        engine.take(load_preset(preset, stems=engine.stems))
    engine.controls.update(faders)
    with ExitStack() as stack:
        for tap in taps:
            stack.callback(tap.close)
        stack.enter_context(engine)
        if preset:
            stack.enter_context(follow_preset(preset, engine.take, engine.stems, messages.tell))
        running = start_surfaces(built, surfaces, messages.tell, stack)
        ControlPage(engine, running, messages).run(stop_on_signals(), seconds)
    print_latency(engine.latency)
    print_counters(engine)


def open_driver(
    name: str,
    *,
    connect: bool,
    report: Callable[[str], None],
    choices: str = "portaudio or jack",
    **device: Any,  # noqa: ANN401 - as PortAudioBackend takes them
) -> AudioBackend:
    """Return the backend of a name.

    Raises:
        ConfigError: there is none of that name; ``choices`` says what there is.
        DeviceError: the device cannot do what is asked.
    """
    if name == "jack":
        from stream_sep.backends.jack import JackBackend

        return JackBackend(connect=connect, report=report)
    if name != "portaudio":
        raise ConfigError(f"there is no backend {name!r}; say {choices}")
    from stream_sep.backends.portaudio import PortAudioBackend

    return PortAudioBackend(report=report, **device)


def parse_outputs(text: str) -> dict[str, int]:
    """Return bus -> first channel from ``main=1,vocals=3``.

    Raises:
        ConfigError: not of that form.

    >>> parse_outputs("main=1,vocals=3")
    {'main': 1, 'vocals': 3}
    """
    pairs = {}
    for part in text.split(","):
        bus, _, first = part.strip().partition("=")
        if not first.isdecimal() or int(first) < 1:
            raise ConfigError(
                f"channel map {part!r} is not NAME=CHANNEL, channels counted from 1, as in main=1,vocals=3"
            )
        pairs[bus] = int(first)
    return pairs


def parse_control(text: str) -> tuple[str, float]:
    """Return path and value from ``vocals=-60`` (a stem's fader) or ``stem/vocals/pan=0.5`` (any control).

    Raises:
        ConfigError: not of that form.

    >>> parse_control("vocals=-60"), parse_control("bypass=1")
    (('stem/vocals/gain_db', -60.0), ('bypass', 1.0))
    """
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError as error:
        raise ConfigError(f"--set {text!r} is not CONTROL=NUMBER, as in vocals=-60") from error
    whole = "/" in name or name in {"bypass", "karaoke", "ramp_ms"}
    return (name if whole else f"stem/{name}/gain_db"), number


def device_of(text: str) -> int | str | None:
    """Return the number of a device, words out of its name, or None for the default one."""
    return int(text) if text.isdecimal() else (text or None)


def stop_on_signals() -> threading.Event:
    """Return what Ctrl-C, or being told to end, sets."""
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    return stopped
