"""``stream-sep bench``: measure a separator and the engine on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from stream_sep.errors import ConfigError
from stream_sep.separators import DEFAULT


def bench(
    model: Annotated[str, typer.Option(help="separator")] = DEFAULT,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the separator, e.g. model=htdemucs")
    ] = None,
    block_size: Annotated[int, typer.Option(help="frames a block")] = 128,
    seconds: Annotated[float, typer.Option(help="length of the paced run")] = 20.0,
    song: Annotated[Path | None, typer.Option(help="what to play; the demo song unless given")] = None,
    *,
    jack: Annotated[bool, typer.Option("--jack", help="soak on a JACK server under load instead")] = False,
    control: Annotated[
        bool, typer.Option("--control", help="time OSC and MIDI moves on a JACK server instead")
    ] = False,
    moves: Annotated[int, typer.Option(help="with --control: how many of each")] = 1000,
    separate: Annotated[
        bool, typer.Option("--separate", help="time files beside the demucs command instead")
    ] = False,
    hours: Annotated[float, typer.Option(help="with --separate: memory over a song so long instead")] = 0.0,
    play: Annotated[Path | None, typer.Option(help="time sound and jumps of this song instead")] = None,
    seeks: Annotated[int, typer.Option(help="with --play: how many jumps")] = 200,
    refined_model: Annotated[str, typer.Option(help="with --play: watch stems of this model come")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Measure compute, latency, null, callback, control delay, late hops and memory."""
    from stream_sep.evaluation.bench_engine import measure

    if seconds < 1:
        raise ConfigError(f"--seconds {seconds} is too short to measure; at least 1")
    if play is not None:
        figures = _play(play, model, parse_options(option or []), block_size, seeks, seconds, refined_model)
    elif separate:
        figures = _separate(model, seconds, hours)
    elif control:
        figures = _control(model, parse_options(option or []), moves, seconds)
    elif jack:
        figures = _soak(model, parse_options(option or []), seconds)
    else:
        figures = measure(model, parse_options(option or []), block_size, seconds, song)
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
    else:
        plain = jack or control or separate or play is not None
        text = [f"{name}: {_rounded(figure)}" for name, figure in figures.items()] if plain else lines(figures)
        Console(soft_wrap=True).print("\n".join(text), highlight=False, markup=False)


def _rounded(figure: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return figures as people read them: to a thousandth."""
    if isinstance(figure, dict):
        return {name: _rounded(value) for name, value in figure.items()}
    if isinstance(figure, (list, tuple)):
        return type(figure)(_rounded(value) for value in figure)
    return round(figure, 3) if isinstance(figure, float) else figure


def _play(
    song: Path, model: str, options: dict[str, Any], block_size: int, seeks: int, seconds: float, refined_model: str
) -> dict[str, Any]:
    from stream_sep.evaluation.bench_player import measure_play
    from stream_sep.files.settings import SeparationSettings
    from stream_sep.player.refiner import Refinement

    if seeks < 1:
        raise ConfigError(f"--seeks {seeks} is none; at least 1")
    refinement = (
        Refinement(SeparationSettings(model=refined_model), cache_gb=0.0, download=True) if refined_model else None
    )
    return measure_play(
        song, model, options, block_size=block_size, seeks=seeks, seconds=seconds, refinement=refinement
    )


def _soak(model: str, options: dict[str, Any], seconds: float) -> dict[str, Any]:
    from stream_sep.evaluation.bench_jack import soak_jack

    soak = soak_jack(model, options, seconds)
    return {
        "seconds": seconds,
        "xruns of a bare client": soak.bare_xruns,
        "xruns of the engine": soak.engine_xruns,
        **{name: count for name, count in soak.stats.troubles.items() if name != "xruns"},
        "callback_us": soak.stats.callback_us,
    }


def _separate(model: str, seconds: float, hours: float) -> dict[str, Any]:
    from stream_sep.evaluation.bench_files import compare_with_demucs, measure_memory

    if hours:
        return measure_memory(3600 * hours, model)
    return compare_with_demucs(seconds, "random-htdemucs" if model == DEFAULT else model)


def _control(model: str, options: dict[str, Any], moves: int, seconds: float) -> dict[str, Any]:
    from bridge.benchmarks.control import measure_control

    return measure_control(model, options, moves, seconds)


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """Return a separator's options from ``NAME=VALUE`` texts; numbers become numbers.

    >>> parse_options(["hop=128", "model=tiny"])
    {'hop': 128, 'model': 'tiny'}
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--option {pair!r} is not NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as lines for people."""
    hop, paced, callback = figures["separator"], figures["paced"], figures["callback_us"]
    terms = ", ".join(f"{name} {frames}" for name, frames in paced["latency_frames"].items() if frames)
    troubles = ", ".join(f"{name} {count}" for name, count in paced["counters"].items())
    machine = f"{figures['cores']} cores ({figures['cpu']})"
    times = f"p50 {hop['p50_ms']:.2f} ms, p99 {hop['p99_ms']:.2f}, max {hop['max_ms']:.2f}"
    rows = {
        f"hop of {hop['hop']} frames": f"{hop['hop_ms']:.1f} ms; computed in {times}",
        "real-time factor": f"{hop['real_time_factor']:.3f} of one core",
        "latency": f"{paced['latency_ms']:.1f} ms ({terms} frames); measured {paced['measured_frames']} frames",
        "stream vs file": f"{figures['null_db']:.0f} dB (-300: bit for bit)",
        "audio callback": f"p50 {callback['p50']:.1f} us, p99.9 {callback['p99.9']:.1f}, max {callback['max']:.1f}",
        "fader to sound": f"frame {figures['control_to_sound_frames']} of the next block",
        f"paced {paced['seconds']:.0f} s": f"{paced['hops']} hops; {troubles}",
        "slack needed": f"{paced['slack_needed']} frames, of {paced['latency_frames']['slack']}",
        "stolen by a host": f"{paced['stolen_ms']:.0f} ms of {figures['cores']} cores",
        "start to running": f"{paced['start_seconds']:.2f} s",
        "memory, MB": f"start {paced['memory_start_mb']}, end {paced['memory_end_mb']}",
    }
    title = f"{figures['model']}, {figures['block_size']} frames a block, {figures['sample_rate']} Hz, {machine}"
    return [title, *(f"  {name:<17} {text}" for name, text in rows.items())]
