"""``stream-sep bench``: measure separators, the engine, the player and file separation on this machine."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from stream_sep.cli.app import App, Group
from stream_sep.cli.arguments import parse_options
from stream_sep.cli.bench_output import engine_lines, print_figures
from stream_sep.cli.engine_options import BlockSize  # noqa: TC001 - typer reads it
from stream_sep.errors import ConfigError
from stream_sep.separators import SHORT_DEFAULT, canonical_name

_MODES = {"--jack": "jack", "--control": "control", "--separate": "files", "--play": "player"}
"""Older option that selected the benchmark -> command."""

_Model = Annotated[str, typer.Option(help="separator, see 'models list'")]
_Options = Annotated[list[str] | None, typer.Option("--option", help="NAME=VALUE for the separator")]
_Duration = Annotated[float, typer.Option(help="length of the run in seconds", min=1)]
_Json = Annotated[bool, typer.Option("--json", help="print JSON")]


class _BenchGroup(Group):
    """Measures the engine if no command is named, and accepts the options that preceded the commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - whose type moved between versions
        """Insert the default command if none is named."""
        if not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"}):
            args = _with_command(args)
        return super().parse_args(ctx, args)


def _with_command(args: list[str]) -> list[str]:
    """Return the arguments with a command first.

    >>> _with_command(["--separate", "--hours", "2"]), _with_command(["--play", "a.mp3", "--json"])
    (['memory', '--hours', '2'], ['player', 'a.mp3', '--json'])
    """
    mode = next((argument for argument in args if argument in _MODES), None)
    if mode is None:
        return ["engine", *args]
    place = args.index(mode)
    rest = args[:place] + args[place + 1 :]
    if mode == "--play":  # its value is the song
        return ["player", *args[place + 1 : place + 2], *args[:place], *args[place + 2 :]]
    return ["memory" if mode == "--separate" and "--hours" in args else _MODES[mode], *rest]


app = App("Measure separators, the engine, the player and file separation.", cls=_BenchGroup)


@app.command()
def engine(
    model: _Model = SHORT_DEFAULT,
    option: _Options = None,
    block_size: BlockSize = 128,
    duration: _Duration = 20.0,
    song: Annotated[Path | None, typer.Option(help="song to play (default: the demo song)")] = None,
    *,
    as_json: _Json = False,
) -> None:
    """Measure compute time, latency, null, callback, control delay, late hops and memory (the default)."""
    from stream_sep.evaluation.bench_engine import measure

    figures = measure(canonical_name(model), parse_options(option or []), block_size, duration, song)
    print_figures(figures, engine_lines(figures), as_json=as_json)


@app.command()
def jack(
    model: _Model = SHORT_DEFAULT, option: _Options = None, duration: _Duration = 20.0, *, as_json: _Json = False
) -> None:
    """Count xruns on a JACK server under load, beside those of a bare client."""
    from stream_sep.evaluation.bench_jack import soak_jack

    soak = soak_jack(model, parse_options(option or []), duration)
    figures = {
        "seconds": duration,
        "xruns of a bare client": soak.bare_xruns,
        "xruns of the engine": soak.engine_xruns,
        "late hops": soak.late_hops,
        **{name: count for name, count in soak.stats.error_counts.items() if name not in {"xruns", "late_hops"}},
        "callback_us": soak.stats.callback_us,
    }
    print_figures(figures, as_json=as_json)


@app.command()
def soak(
    model: _Model = SHORT_DEFAULT,
    duration: Annotated[float, typer.Option(help="length of the run in seconds", min=1)] = 3600.0,
    kill_every: Annotated[
        float, typer.Option(help="seconds between kills of the separator; 0 for none", min=0)
    ] = 60.0,
    *,
    standby: Annotated[
        bool, typer.Option("--standby/--no-standby", help="keep a second separator loaded, as live does")
    ] = True,
    as_json: _Json = False,
) -> None:
    """Run the engine for an hour with fader moves, presets and kills; fails if it leaks, grows or recovers slowly."""
    from stream_sep.evaluation.soak import soak as run

    report = run(duration, canonical_name(model), kill_every=kill_every, standby=standby)
    print_figures(report.figures(), as_json=as_json)
    violations = report.violations()
    for violation in violations:
        typer.echo(violation, err=True)
    if violations:
        raise typer.Exit(1)


@app.command()
def stops(
    command: Annotated[str, typer.Option(help="command to end: demo, or live, which needs a JACK server")] = "demo",
    runs: Annotated[int, typer.Option(help="number of runs", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="seed of the moments")] = 0,
    *,
    as_json: _Json = False,
) -> None:
    """Measure how long a command takes to end after Ctrl-C, SIGTERM or SIGHUP; fails if one ends out of order."""
    from stream_sep.evaluation.bench_stops import figures, measure_stops

    done = measure_stops(command, runs, seed=seed)
    print_figures(figures(done), as_json=as_json)
    wrong = [stop for stop in done if not stop.is_right]
    for stop in wrong:
        typer.echo(f"after {stop.after:.2f} s: exit code {stop.code}, not {stop.expected}: {stop.printed}", err=True)
    if wrong:
        raise typer.Exit(1)


@app.command()
def control(
    model: _Model = SHORT_DEFAULT,
    option: _Options = None,
    moves: Annotated[int, typer.Option(help="number of moves of each kind", min=1)] = 1000,
    duration: _Duration = 20.0,
    *,
    as_json: _Json = False,
) -> None:
    """Measure the delay of OSC and MIDI moves on a JACK server."""
    from bridge.benchmarks.control import measure_control

    print_figures(measure_control(model, parse_options(option or []), moves, duration), as_json=as_json)


@app.command()
def plugin(
    model: _Model = SHORT_DEFAULT,
    block_size: BlockSize = 512,
    blocks: Annotated[int, typer.Option(help="number of blocks in real time", min=1)] = 10000,
    instances: Annotated[int, typer.Option(help="number of plug-ins at once", min=1)] = 1,
    *,
    table: Annotated[bool, typer.Option("--table", help="print the table of latencies instead")] = False,
    as_json: _Json = False,
) -> None:
    """Measure the plug-in: late hops, callback, start, bounces."""
    from bridge.benchmarks.plugin import latency_table, measure_plugin

    if table:
        print("\n".join(latency_table()))
        return
    print_figures(measure_plugin(model, block_size, blocks, instances), as_json=as_json)


@app.command()
def files(
    model: Annotated[str, typer.Option(help="Demucs model")] = "random-htdemucs",
    duration: Annotated[float, typer.Option(help="length of the song in seconds", min=1)] = 20.0,
    *,
    as_json: _Json = False,
) -> None:
    """Time 'separate' against the demucs command."""
    from stream_sep.evaluation.bench_files import compare_with_demucs

    print_figures(compare_with_demucs(duration, model), as_json=as_json)


@app.command()
def memory(
    model: Annotated[str, typer.Option(help="separator or Demucs model")] = SHORT_DEFAULT,
    hours: Annotated[float, typer.Option(help="length of the song in hours")] = 2.0,
    *,
    as_json: _Json = False,
) -> None:
    """Measure the memory use of 'separate' for a long song."""
    from stream_sep.evaluation.bench_files import measure_memory

    if hours <= 0:
        raise ConfigError(f"--hours {hours:g} must be positive")
    print_figures(measure_memory(3600 * hours, model), as_json=as_json)


@app.command()
def player(
    song: Annotated[Path, typer.Argument(help="song to play")],
    model: _Model = SHORT_DEFAULT,
    option: _Options = None,
    block_size: BlockSize = 128,
    seeks: Annotated[int, typer.Option(help="number of seeks", min=1)] = 200,
    refined_model: Annotated[str, typer.Option(help="model whose stems replace those of the separator")] = "",
    duration: _Duration = 20.0,
    *,
    as_json: _Json = False,
) -> None:
    """Measure the time to first sound and of seeks in a song."""
    from stream_sep.evaluation.bench_player import measure_play
    from stream_sep.files.settings import SeparationSettings
    from stream_sep.player.refiner import Refinement

    refinement = (
        Refinement(SeparationSettings(model=refined_model), cache_gb=0.0, download=True) if refined_model else None
    )
    options = parse_options(option or [])
    figures = measure_play(
        song, model, options, block_size=block_size, seeks=seeks, seconds=duration, refinement=refinement
    )
    print_figures(figures, as_json=as_json)


@app.command()
def web(
    model: _Model = SHORT_DEFAULT,
    clients: Annotated[int, typer.Option(help="clients that upload at once", min=1)] = 20,
    sockets: Annotated[int, typer.Option(help="open WebSockets while memory is measured", min=0)] = 200,
    copies: Annotated[int, typer.Option(help="length of the song in demo songs", min=1)] = 6,
    *,
    as_json: _Json = False,
) -> None:
    """Measure the web service: uploads, first sound, seeks, memory, overhead."""
    from bridge.benchmarks.web_service import measure_service

    print_figures(
        measure_service(canonical_name(model), clients=clients, sockets=sockets, copies=copies), as_json=as_json
    )


@app.command("web-kills")
def web_kills(
    kills: Annotated[int, typer.Option(help="number of kills", min=1)] = 200,
    clients: Annotated[int, typer.Option(help="clients that upload, cancel, delete and mix", min=1)] = 4,
    max_pause: Annotated[float, typer.Option(help="longest time between two kills in seconds", min=0.2)] = 6.0,
    duration: Annotated[float, typer.Option(help="seconds after which no more are made", min=1)] = 7200.0,
    seed: Annotated[int, typer.Option(help="seed of times and targets")] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="empty folder, kept afterwards (default: a temporary one)")
    ] = None,
    *,
    as_json: _Json = False,
) -> None:
    """Kill the processes of a web service at random under load; fails if anything accepted is lost or left over."""
    from bridge.benchmarks.web_kills import run_kills

    with TemporaryDirectory(prefix="stream-sep-kills-") as temporary:
        found = run_kills(
            folder or Path(temporary),
            kills,
            clients=clients,
            max_pause=max_pause,
            max_seconds=duration,
            seed=seed,
            report=lambda text: typer.echo(text, err=True),
        )
    print_figures(found.figures(), as_json=as_json)
    if found.violations:
        raise typer.Exit(1)


@app.command("web-page")
def web_page(
    minutes: Annotated[float, typer.Option(help="length of the song in minutes", min=0.5)] = 60.0,
    play: Annotated[float, typer.Option(help="seconds that it plays", min=1)] = 180.0,
    seeks: Annotated[int, typer.Option(help="number of seeks", min=1)] = 40,
    *,
    as_json: _Json = False,
) -> None:
    """Measure the memory of the song page in Chromium over a long song."""
    from bridge.benchmarks.web_page import measure_page

    print_figures(measure_page(minutes, play_seconds=play, seeks=seeks), as_json=as_json)
