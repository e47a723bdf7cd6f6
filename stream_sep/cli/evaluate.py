"""``stream-sep evaluate``: separation scores on songs with reference stems."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_sep.cli.arguments import parse_options
from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators import SHORT_DEFAULT

if TYPE_CHECKING:
    from stream_sep.evaluation.model_cost import ModelCost
    from stream_sep.evaluation.report import Score
    from stream_sep.evaluation.songs import SongPlace


def evaluate(
    folder: Annotated[Path, typer.Argument(help="songs: folders of stems, or .stem.mp4 files")],
    model: Annotated[list[str] | None, typer.Option(help="separator; repeat to compare several")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the separator, or MODEL.NAME=VALUE for one of several")
    ] = None,
    limit: Annotated[int, typer.Option(help="score at most this many songs; 0 scores all")] = 0,
    validation_percent: Annotated[
        int, typer.Option(help="score only the songs that training at this percentage holds out")
    ] = 0,
    as_json: Annotated[Path | None, typer.Option("--json", help="write every score to this file")] = None,
    plot: Annotated[Path | None, typer.Option(help="plot SDR against latency and cost, as PNG")] = None,
    layout: Annotated[
        str, typer.Option(help="of the folder: stem-files, stem-folders, moises, slakh, cambridge-mt, mir1k, or auto")
    ] = "auto",
    *,
    live: Annotated[
        bool, typer.Option("--live", help="score models of windows by their windows of a stream, not of a file")
    ] = False,
    all_metrics: Annotated[
        bool,
        typer.Option(
            "--all-metrics",
            help="add SI-SDR, low end, attacks, bleed, first and last minute, and cost, as with several models",
        ),
    ] = False,
    museval: Annotated[bool, typer.Option("--museval", help="as --all-metrics, with museval's SDR (slow)")] = False,
) -> None:
    """Print SDR per stem, as Markdown. The unprocessed mix and mid/side are the baselines."""
    from stream_sep.evaluation import sdr

    models = assign_options(model or [SHORT_DEFAULT], option or [])
    songs = songs_in(folder, layout)
    if not (all_metrics or museval or as_json or plot or validation_percent or len(models) > 1):
        ((name, (_, options)),) = models.items()
        skipped: list[str] = []
        rows = list(sdr.evaluate(folder, name, limit or None, skip=skipped.append, songs=songs, live=live, **options))
        typer.echo(sdr.format_table(rows))
    else:
        chosen = {"limit": limit or None, "validation_percent": validation_percent or None, "museval": museval}
        skipped = _full_report(folder, models, {**chosen, "songs": songs, "live": live}, as_json=as_json, plot=plot)
    for message in skipped:
        typer.echo(message, err=True)
    if skipped:
        raise typer.Exit(1)


def songs_in(folder: Path, layout: str) -> list[SongPlace]:
    """Return the songs of a folder: stem files and folders of the four stems, or those of any data set.

    Args:
        folder: it.
        layout: one of the layouts of data sets, or ``auto``.

    Raises:
        AudioFileError: there is no song.
        ConfigError: an unknown layout.
    """
    from stream_sep.evaluation.songs import find_songs
    from stream_sep.training.data.layouts import find_stem_songs

    if layout == "auto":
        with suppress(AudioFileError):
            return [*find_songs(folder)]
    return [*find_stem_songs(folder, layout)]


def _full_report(
    folder: Path,
    models: dict[str, tuple[str, dict[str, Any]]],
    chosen: dict[str, Any],
    *,
    as_json: Path | None,
    plot: Path | None,
) -> list[str]:
    """Print the long report; return a message for every song that could not be read."""
    from stream_sep.evaluation import report
    from stream_sep.evaluation.model_cost import measure_cost

    skipped: list[str] = []
    found: list[Score] = []

    def begin(song: str) -> None:
        typer.echo(song, err=True)
        _write_json(as_json, found, [])  # so that an end before the last song loses one song

    for score in report.evaluate_folder(folder, models, report=begin, skip=skipped.append, **chosen):
        found.append(score)  # noqa: PERF402 - `begin` writes it while it grows
    _write_json(as_json, found, [])
    costs = [measure_cost(name, model, options) for name, (model, options) in models.items()]
    typer.echo(report.format_report(found, costs))
    _write_json(as_json, found, costs)
    if plot is not None:
        report.plot_costs(plot, found, costs)
    return skipped


def _write_json(path: Path | None, scores: list[Score], costs: list[ModelCost]) -> None:
    if path is None:
        return
    rows = {"scores": [asdict(row) for row in scores], "models": [asdict(cost) for cost in costs]}
    try:
        atomic_write(path, json.dumps(rows, indent=1, default=str).encode())
    except OSError as error:
        raise AudioFileError(f"cannot write {path}: {reason(error)}; name another file with --json") from error


def assign_options(models: list[str], pairs: list[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return name -> separator and options, from ``MODEL.NAME=VALUE`` texts, or ``NAME=VALUE`` for every model.

    Raises:
        ConfigError: an option for a model that is not scored, or not of that form.

    >>> assign_options(["bands", "live"], ["live.weights=a.safetensors"])["live"]
    ('live', {'weights': 'a.safetensors'})
    """
    assigned: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in models}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        model, dot, name = key.rpartition(".")
        if dot and model not in assigned:
            raise ConfigError(f"--option {pair} is for {model!r}, which is not scored; add --model {model}")
        for one in [model] if dot else list(assigned):
            assigned[one][1].update(parse_options([f"{name}{equals}{value}"]))
    return assigned
