"""Separation scores in several metrics: the long report of `stream-sep evaluate`.

Every song is streamed, hop by hop, as in live use. Besides the SDR of whole songs, the report shows what it hides:
level errors (SI-SDR ignores them), the low end, attacks, leakage into absent stems and pauses, and whether the
last minute of a long song is as good as its first.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.evaluation.measures import MEASURES, measure_stem
from stream_sep.evaluation.sdr import align_references, estimate_mix, order_stems, separate
from stream_sep.evaluation.songs import find_songs, load_songs, score_or_skip
from stream_sep.evaluation.validation_split import is_validation
from stream_sep.extras import install_hint
from stream_sep.protocols import STEMS
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from stream_sep.evaluation.model_cost import ModelCost
    from stream_sep.evaluation.songs import Parts, Song


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

    Raises:
        AudioFileError: there is no song, or one cannot be read.
        ConfigError: no song is left, or museval is not installed.
    """
    paths = [path for path in find_songs(folder) if _is_selected(path, validation_percent)][:limit]
    if not paths:
        raise ConfigError(
            f"no song of {folder} is kept for validation at {validation_percent} percent; score them all"
        )
    build = functools.lru_cache(maxsize=None)(
        lambda name, rate: load_separator(models[name][0], rate, **models[name][1])
    )

    def scores(song: Song) -> Iterator[Score]:
        yield from score_song(song, "mix", estimate_mix(song.mix))
        for name in models:
            separator = build(name, song.sample_rate)
            separator.reset()
            estimates = separate(separator, song.mix)
            yield from score_song(song, name, estimates)
            if museval:
                yield from _museval(song, name, estimates)

    for song in load_songs(paths, skip=skip):
        report(song.name)
        yield from score_or_skip(song, scores, skip)


def score_song(song: Song, model: str, estimates: Parts) -> Iterator[Score]:
    """Measure estimates of a song's stems in all ways but ``SDR v4``.

    Args:
        song: the song with its stems.
        model: name of the model, for the row.
        estimates: estimated stems by name.
    """
    mix, rate = song.mix, song.sample_rate
    references, estimates = align_references(song, estimates)
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
    parts = [_table(scores, measure) for measure in MEASURES if any(row.measure == measure for row in scores)]
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
            row.decibels for row in scores if (row.model, row.measure) == (one.name, "uSDR") and row.stem in STEMS
        ]
        for axis, place in zip(axes, (one.latency_ms, one.real_time_factor), strict=True):
            axis.semilogx([place], [np.mean(values)], "o")
            axis.annotate(one.name, (place, float(np.mean(values))))
    axes[0].set(xlabel="algorithmic latency, ms", ylabel="mean uSDR of the stems, dB")
    axes[1].set(xlabel="share of a core")
    FigureCanvasAgg(figure).print_png(str(path))  # type: ignore[no-untyped-call] # so it is


def _museval(song: Song, model: str, estimates: Parts) -> Iterator[Score]:
    try:
        import museval  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"SDR v4 needs museval ({error}); {install_hint('train')}") from error
    loud = [stem for stem in STEMS if stem in song.stems and stem in estimates and song.stems[stem].any()]
    if not loud:
        return
    references = np.stack([song.stems[stem].T for stem in loud])
    given = np.stack([estimates[stem].T for stem in loud])
    found = museval.evaluate(references, given, win=song.sample_rate, hop=song.sample_rate)[0]
    for stem, seconds in zip(loud, found, strict=True):
        if np.isfinite(seconds).any():
            yield Score(song.name, model, stem, "SDR v4", float(np.nanmedian(seconds)))


def _table(scores: Sequence[Score], measure: str) -> str:
    rows = [row for row in scores if row.measure == measure]
    stems = order_stems(row.stem for row in rows)
    lines = [f"| {measure}, dB | {' | '.join(stems)} | songs |", f"| --- |{' ---: |' * (len(stems) + 1)}"]
    average = np.median if measure == "SDR v4" else np.mean
    for model in dict.fromkeys(row.model for row in rows):
        of_model = [row for row in rows if row.model == model]
        cells = []
        for stem in stems:
            values = [row.decibels for row in of_model if row.stem == stem]
            cells.append(f"{average(values):.2f}" if values else "")
        lines.append(f"| {model} | {' | '.join(cells)} | {len({row.song for row in of_model})} |")
    return "\n".join(lines)


def _is_selected(path: Path, percent: int | None) -> bool:
    return percent is None or is_validation(path.name.removesuffix(".stem.mp4"), percent)
