"""Separation scores in several metrics: the long report of `stream-sep evaluate`.

Songs are separated as by `separate`, or as in a stream, hop by hop. Besides the SDR of whole songs, the report shows
what it hides: level errors (SI-SDR ignores them), the low end, attacks, leakage into absent stems and pauses, and
whether the last minute of a long song is as good as its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.evaluation.measures import MEASURES, measure_stem
from stream_sep.evaluation.score_table import ACCOMPANIMENT, score_table
from stream_sep.evaluation.scored_model import ScoredModel
from stream_sep.evaluation.sdr import align_references, estimate_mix, has_only_stems_of, stems_of
from stream_sep.evaluation.songs import find_songs, load_songs, score_or_skip, song_name
from stream_sep.evaluation.validation_split import is_validation
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from stream_sep.evaluation.model_cost import ModelCost
    from stream_sep.evaluation.songs import Parts, Song, SongPlace
    from stream_sep.separators.source_groups import SourceGroups


@dataclass(frozen=True)
class Score:
    """One number: of a song's stem, by a model, in one measure."""

    song: str
    model: str
    stem: str
    measure: str
    decibels: float


def evaluate_folder(
    folder: Path,
    models: Mapping[str, tuple[str, Mapping[str, Any]]],
    *,
    limit: int | None = None,
    validation_percent: int | None = None,
    museval: bool = False,
    report: Callable[[str], None] = lambda _name: None,
    skip: Callable[[str], None] | None = None,
    songs: Sequence[SongPlace] | None = None,
    live: bool = False,
) -> Iterator[Score]:
    """Score separators on every song of a folder, and the mix itself as a baseline.

    Args:
        folder: a folder for `find_songs`.
        models: name in tables -> separator and its options.
        limit: maximum number of songs.
        validation_percent: only the held-out songs of a training with this percentage.
        museval: measure ``SDR v4`` too.
        report: callback that receives the name of each song.
        skip: callback that receives a message for each song that cannot be read or scored and is skipped; errors
            unless given.
        songs: the songs; those of `find_songs` in the folder unless given.
        live: whether to run separators as in a stream, where they have another form for files.

    Raises:
        AudioFileError: there is no song, or one cannot be read.
        ConfigError: no song is left, or museval is not installed.
    """
    paths = [
        path for path in (find_songs(folder) if songs is None else songs) if _is_selected(path, validation_percent)
    ][:limit]
    if not paths:
        raise ConfigError(
            f"no song of {folder} is kept for validation at {validation_percent} percent; score them all"
        )
    scored = {name: ScoredModel(model, options, live=live) for name, (model, options) in models.items()}

    def scores(song: Song) -> Iterator[Score]:
        yield from _score_mix(song, [model.groups for model in scored.values()])
        for name, model in scored.items():
            estimates = model.separate(song.mix, song.sample_rate)
            yield from score_song(song, name, estimates, model.groups)
            if museval:
                yield from _museval(song, name, estimates, model.groups)

    for song in load_songs(paths, skip=skip):
        report(song.name)
        yield from score_or_skip(song, scores, skip)


def _score_mix(song: Song, models: Sequence[SourceGroups | None]) -> Iterator[Score]:
    """Score the mix as an estimate of each stem of the models; of two groups of one name, the first counts."""
    seen: set[tuple[str, str]] = set()
    for groups in dict.fromkeys(models):
        rows = list(score_song(song, "mix", estimate_mix(song.mix, stems_of(groups)), groups))
        yield from (row for row in rows if (row.stem, row.measure) not in seen)
        seen |= {(row.stem, row.measure) for row in rows}


def score_song(song: Song, model: str, estimates: Parts, groups: SourceGroups | None = None) -> Iterator[Score]:
    """Measure estimates of a song's stems in all ways but ``SDR v4``.

    Args:
        song: the song with its stems.
        model: name of the model, for the row.
        estimates: estimated stems by name.
        groups: the sources of each stem, as for `align_references`.
    """
    mix, rate = song.mix, song.sample_rate
    references, estimates = align_references(song, estimates, groups)
    for stem, reference in references.items():
        for measure, decibels in measure_stem(reference, estimates[stem], mix, rate):
            yield Score(song.name, model, stem, measure, decibels)


def format_report(scores: Sequence[Score], costs: Sequence[ModelCost]) -> str:
    """Return Markdown: a table for each measure, of means (of medians for ``SDR v4``), and one of the cost.

    Args:
        scores: rows of scores.
        costs: rows of costs.

    >>> print(format_report([Score("a", "x", "vocals", "uSDR", 3.0), Score("b", "x", "vocals", "uSDR", 5.0)], []))
    | uSDR, dB | vocals | songs |
    | --- | ---: | ---: |
    | x | 4.00 | 2 |
    """
    parts = []
    for measure in MEASURES:
        rows = [(row.song, row.model, row.stem, row.decibels) for row in scores if row.measure == measure]
        if rows:
            parts.append(score_table(measure, rows, np.median if measure == "SDR v4" else np.mean))
    if costs:
        lines = [
            "| model | latency, ms | hop, ms | p50, ms | p99, ms | share of a core | million weights | MB |",
            "| --- |" + " ---: |" * 7,
        ]
        lines += [
            f"| {one.name} | {one.latency_ms:.1f} | {one.hop_ms:.1f} | {one.p50_ms:.2f} | {one.p99_ms:.2f} "
            f"| {one.real_time_factor:.3f} | {one.weights / 1e6:.2f} | {one.megabytes:.1f} |"
            for one in costs
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def plot_costs(path: Path, scores: Sequence[Score], costs: Sequence[ModelCost]) -> None:
    """Draw the mean uSDR of the stems against latency and against cost, a point for each model.

    Args:
        path: the picture to write.
        scores: rows of scores.
        costs: rows of costs.

    Raises:
        ConfigError: Matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"a plot needs Matplotlib ({error}); {install_hint('train')}") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for one in costs:
        values = [
            row.decibels
            for row in scores
            if (row.model, row.measure) == (one.name, "uSDR") and row.stem != ACCOMPANIMENT
        ]
        for axis, place in zip(axes, (one.latency_ms, one.real_time_factor), strict=True):
            axis.semilogx([place], [np.mean(values)], "o")
            axis.annotate(one.name, (place, float(np.mean(values))))
    axes[0].set(xlabel="algorithmic latency, ms", ylabel="mean uSDR of the stems, dB")
    axes[1].set(xlabel="share of a core")
    FigureCanvasAgg(figure).print_png(str(path))  # type: ignore[no-untyped-call] # so it is


def _museval(song: Song, model: str, estimates: Parts, groups: SourceGroups | None = None) -> Iterator[Score]:
    try:
        import museval  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"SDR v4 needs museval ({error}); {install_hint('train')}") from error
    plain = groups is None or has_only_stems_of(song, groups)
    true = song.stems if plain else align_references(song, estimates, groups)[0]
    loud = [stem for stem in stems_of(groups) if stem in true and stem in estimates and true[stem].any()]
    if not loud:
        return
    references = np.stack([true[stem].T for stem in loud])
    given = np.stack([estimates[stem].T for stem in loud])
    found = museval.evaluate(references, given, win=song.sample_rate, hop=song.sample_rate)[0]
    for stem, seconds in zip(loud, found, strict=True):
        if np.isfinite(seconds).any():
            yield Score(song.name, model, stem, "SDR v4", float(np.nanmedian(seconds)))


def _is_selected(path: SongPlace, percent: int | None) -> bool:
    return percent is None or is_validation(song_name(path), percent)
