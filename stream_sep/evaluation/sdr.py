"""SDR of a separator on songs with reference stems, streamed through it hop by hop."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.evaluation.songs import Parts, Song, find_songs, load_songs, score_or_skip
from stream_sep.protocols import STEMS, Block
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from stream_sep.protocols import Separator


BASELINES = ("mix", "mid/side")
"""Estimates that cost nothing, scored with every model."""

ACCOMPANIMENT = "accompaniment"
"""All but the vocals; scored with the stems."""

_INSTRUMENTS = "instruments"

_EPSILON = 1e-7
"""Added to both energies of the score: silence estimated as silence is 0 dB."""


@dataclass(frozen=True)
class Row:
    """One score: a song's stem as a model, or a baseline, estimated it."""

    song: str
    model: str
    stem: str
    usdr: float
    """Decibels; see `usdr`."""


def usdr(reference: Block, estimate: Block) -> float:
    """Return ``10 log10((sum s^2 + e) / (sum (s - s')^2 + e))`` in decibels, over both channels and the whole song.

    The utterance-level SDR of the Music Demixing Challenge (Mitsufuji et al. 2022): nothing is aligned or scaled,
    so that every error counts. `format_table` shows its mean over songs.

    Args:
        reference: ``(channels, frames)``.
        estimate: ``(channels, frames)``.

    >>> round(usdr(np.ones((2, 8), np.float32), np.full((2, 8), 0.9, np.float32)), 3)
    20.0
    """
    error = np.subtract(reference, estimate, dtype=np.float64)
    signal = np.square(reference, dtype=np.float64).sum()
    return 10 * math.log10((signal + _EPSILON) / (np.square(error).sum() + _EPSILON))


def evaluate(
    folder: Path,
    model: str,
    limit: int | None = None,
    sample_rate: int | None = None,
    skip: Callable[[str], None] | None = None,
    **options: object,
) -> Iterator[Row]:
    """Score a separator, and both baselines, on every song of a folder; one song is in memory at a time.

    Args:
        folder: a folder for `find_songs`.
        model: name of a separator, as `load_separator` takes it.
        limit: maximum number of songs, the first by name.
        sample_rate: frames per second to resample the songs to; their own unless given.
        skip: callback that receives a message for each song that cannot be read or scored and is skipped; errors
            unless given.
        options: passed to the separator.

    Raises:
        AudioFileError: there is no song, or one cannot be read.
    """
    separator: Separator | None = None
    for song in load_songs(find_songs(folder)[:limit], sample_rate, skip):
        if separator is None or separator.sample_rate != song.sample_rate:
            separator = load_separator(model, song.sample_rate, **options)
        separator.reset()
        yield from score_or_skip(song, functools.partial(_scores, model, separator), skip)


def _scores(model: str, separator: Separator, song: Song) -> Iterator[Row]:
    yield from score(song, model, separate(separator, song.mix))
    for name, estimates in zip(BASELINES, (estimate_mix(song.mix), estimate_mid_side(song.mix)), strict=True):
        yield from score(song, name, estimates)


def separate(separator: Separator, mix: Block) -> Parts:
    """Stream a whole mix, ``(2, frames)``, through a separator; return its stems, aligned with the mix.

    Args:
        separator: the separator.
        mix: ``(2, frames)``.
    """
    hop, latency, frames = separator.hop, separator.latency, mix.shape[1]
    hops = -(-(frames + latency) // hop)
    padded = np.pad(mix, ((0, 0), (0, hops * hop - frames)))
    stems = np.empty((len(separator.stems), separator.channels, hops * hop), np.float32)
    for start in range(0, hops * hop, hop):
        stems[..., start : start + hop] = separator.process(padded[:, start : start + hop])
    return dict(zip(separator.stems, stems[..., latency : latency + frames], strict=True))


def estimate_mix(mix: Block) -> Parts:
    """Estimate every stem by the whole mix: the result without a separator."""
    return dict.fromkeys((*STEMS, ACCOMPANIMENT), mix)


def estimate_mid_side(mix: Block) -> Parts:
    """Estimate the vocals by the mid, on both channels, and the rest by the side: classic vocal removal."""
    mid = np.broadcast_to(mix.mean(axis=0, dtype=np.float32), mix.shape)
    return {"vocals": mid, ACCOMPANIMENT: mix - mid}


def score(song: Song, model: str, estimates: Parts) -> Iterator[Row]:
    """Score estimates by the stems of a song, and by its accompaniment; silent and missing stems are skipped.

    Without its own estimate, the accompaniment is the mix without the vocals' estimate.

    Args:
        song: the song with its stems.
        model: name of the model, for the row.
        estimates: estimated stems by name.
    """
    references, estimates = align_references(song, estimates)
    for stem, reference in references.items():
        if reference.any():
            yield Row(song.name, model, stem, usdr(reference, estimates[stem]))


def align_references(song: Song, estimates: Parts) -> tuple[Parts, Parts]:
    """Return references and estimates, both with the accompaniment.

    A group such as ``no_drums`` or ``instruments`` is scored by the mix without what it leaves out. ``other`` is
    scored only where it means all but vocals, drums and bass, in the song and in the estimates: where a stem is
    missing, its sound is in another one, most often in ``other``, which then is no fair reference.

    Args:
        song: the true stems.
        estimates: a separator's.
    """
    mix = song.mix
    references = {stem: sound for stem, sound in song.stems.items() if stem in estimates}
    if "other" in references and not set(STEMS) <= set(song.stems):
        references.pop("other")
    if "other" in references and set(estimates) - {ACCOMPANIMENT} != set(STEMS):
        references.pop("other")
    for stem in estimates:
        left_out = "vocals" if stem == _INSTRUMENTS else stem.removeprefix("no_")
        if stem not in song.stems and left_out != stem and left_out in song.stems:
            references[stem] = mix - song.stems[left_out]
    if "vocals" in references:
        references[ACCOMPANIMENT] = mix - song.stems["vocals"]
        estimates = {ACCOMPANIMENT: mix - estimates["vocals"], **estimates}
    return references, estimates


def format_table(rows: Iterable[Row]) -> str:
    """Write the mean uSDR of each model and stem, in decibels, as a Markdown table with the number of songs.

    >>> print(format_table([Row("a", "bands", "vocals", 3.0), Row("b", "bands", "vocals", 4.0)]))
    | uSDR, dB | vocals | songs |
    | --- | ---: | ---: |
    | bands | 3.50 | 2 |
    """
    kept = list(rows)
    models = list(dict.fromkeys(row.model for row in kept))
    present = {row.stem for row in kept}
    stems = order_stems(present)
    lines = [f"| uSDR, dB | {' | '.join(stems)} | songs |", f"| --- |{' ---: |' * (len(stems) + 1)}"]
    for model in models:
        songs = {row.song for row in kept if row.model == model}
        cells = " | ".join(
            _mean_cell([row.usdr for row in kept if (row.model, row.stem) == (model, s)]) for s in stems
        )
        lines.append(f"| {model} | {cells} | {len(songs)} |")
    return "\n".join(lines)


def order_stems(present: Iterable[str]) -> list[str]:
    """Return stems in the order of tables: the usual four, others, the accompaniment.

    >>> order_stems({"accompaniment", "no_drums", "drums"})
    ['drums', 'no_drums', 'accompaniment']
    """
    kept = set(present)
    usual = [stem for stem in STEMS if stem in kept]
    return [*usual, *sorted(kept - {*STEMS, ACCOMPANIMENT}), *([ACCOMPANIMENT] if ACCOMPANIMENT in kept else [])]


def _mean_cell(scores: list[float]) -> str:
    return f"{sum(scores) / len(scores):.2f}" if scores else ""
