"""SDR of a separator on songs with reference stems."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.evaluation.score_table import ACCOMPANIMENT, score_table
from stream_sep.evaluation.scored_model import ScoredModel
from stream_sep.evaluation.songs import Parts, Song, find_songs, load_songs, score_or_skip
from stream_sep.protocols import STEMS, Block
from stream_sep.separators.source_groups import FOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from stream_sep.evaluation.songs import SongPlace
    from stream_sep.separators.source_groups import SourceGroups


BASELINES = ("mix", "mid/side")
"""Estimates that cost nothing, scored with every model."""

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
    *,
    songs: Sequence[SongPlace] | None = None,
    live: bool = False,
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
        songs: the songs; those of `find_songs` in the folder unless given.
        live: whether to run the separator as in a stream, where it has another form for files.
        options: passed to the separator.

    Raises:
        AudioFileError: there is no song, or one cannot be read.
    """
    scored = ScoredModel(model, options, live=live)
    for song in load_songs((find_songs(folder) if songs is None else songs)[:limit], sample_rate, skip):
        yield from score_or_skip(song, functools.partial(_scores, model, scored), skip)


def _scores(name: str, model: ScoredModel, song: Song) -> Iterator[Row]:
    estimates, groups = model.separate(song.mix, song.sample_rate), model.groups
    yield from score(song, name, estimates, groups)
    baselines = estimate_mix(song.mix, stems_of(groups)), estimate_mid_side(song.mix)
    for baseline, made in zip(BASELINES, baselines, strict=True):
        yield from score(song, baseline, made, groups)


def estimate_mix(mix: Block, stems: Sequence[str] = STEMS) -> Parts:
    """Estimate every stem by the whole mix: the result without a separator.

    Args:
        mix: ``(2, frames)``.
        stems: names of the stems.
    """
    return dict.fromkeys((*stems, ACCOMPANIMENT), mix)


def stems_of(groups: SourceGroups | None) -> tuple[str, ...]:
    """Return the stems of some groups; the usual four unless given."""
    return STEMS if groups is None or {*groups.stems} == {*STEMS} else groups.stems


def estimate_mid_side(mix: Block) -> Parts:
    """Estimate the vocals by the mid, on both channels, and the rest by the side: classic vocal removal."""
    mid = np.broadcast_to(mix.mean(axis=0, dtype=np.float32), mix.shape)
    return {"vocals": mid, ACCOMPANIMENT: mix - mid}


def score(song: Song, model: str, estimates: Parts, groups: SourceGroups | None = None) -> Iterator[Row]:
    """Score estimates by the stems of a song, and by its accompaniment; silent and missing stems are skipped.

    Without its own estimate, the accompaniment is the mix without the vocals' estimate.

    Args:
        song: the song with its stems.
        model: name of the model, for the row.
        estimates: estimated stems by name.
        groups: the sources of each stem, as for `align_references`.
    """
    references, estimates = align_references(song, estimates, groups)
    for stem, reference in references.items():
        if reference.any():
            yield Row(song.name, model, stem, usdr(reference, estimates[stem]))


def align_references(song: Song, estimates: Parts, groups: SourceGroups | None = None) -> tuple[Parts, Parts]:
    """Return references and estimates, both with the accompaniment.

    With source groups, the reference of a stem is the sum of the song's sources in its group, and it is scored where
    the song serves the group (`SourceGroups.serves`). Without them, and for four stems of a song that has no others,
    a group such as ``no_drums`` or ``instruments`` is scored by the mix without what it leaves out. ``other`` is
    scored only where it means all but vocals, drums and bass, in the song and in the estimates: where a stem is
    missing, its sound is in another one, most often in ``other``, which then is no fair reference.

    Args:
        song: the true stems.
        estimates: a separator's.
        groups: the sources of each of its stems, if they are known.
    """
    mix = song.mix
    if groups is not None and not has_only_stems_of(song, groups):
        return _with_accompaniment(song, _references_of(song, estimates, groups), estimates)
    references = {stem: sound for stem, sound in song.stems.items() if stem in estimates}
    if "other" in references and not set(STEMS) <= set(song.stems):
        references.pop("other")
    if "other" in references and set(estimates) - {ACCOMPANIMENT} != set(STEMS):
        references.pop("other")
    for stem in estimates:
        left_out = "vocals" if stem == _INSTRUMENTS else stem.removeprefix("no_")
        if stem not in song.stems and left_out != stem and left_out in song.stems:
            references[stem] = mix - song.stems[left_out]
    return _with_accompaniment(song, references, estimates)


def has_only_stems_of(song: Song, groups: SourceGroups) -> bool:
    """Return whether groups are the four stems, and a song has no other sources.

    Args:
        song: the song.
        groups: of a separator.
    """
    return groups == FOUR and set(song.stems) <= set(STEMS)


def _references_of(song: Song, estimates: Parts, groups: SourceGroups) -> Parts:
    known = {*song.stems, *song.silent}
    references = {}
    for stem in groups.stems:
        if stem in estimates and groups.serves(stem, known):
            reference = np.zeros_like(song.mix)
            for source in groups.sources_of(stem, tuple(song.stems)):
                reference += song.stems[source]
            references[stem] = reference
    return references


def _with_accompaniment(song: Song, references: Parts, estimates: Parts) -> tuple[Parts, Parts]:
    if "vocals" not in references:
        return references, estimates
    mix = song.mix
    accompaniment = mix - references["vocals"]
    return {**references, ACCOMPANIMENT: accompaniment}, {ACCOMPANIMENT: mix - estimates["vocals"], **estimates}


def format_table(rows: Iterable[Row]) -> str:
    """Write the mean uSDR of each model and stem, in decibels, as a Markdown table with the number of songs.

    >>> print(format_table([Row("a", "bands", "vocals", 3.0), Row("b", "bands", "vocals", 4.0)]))
    | uSDR, dB | vocals | songs |
    | --- | ---: | ---: |
    | bands | 3.50 | 2 |
    """
    return score_table("uSDR", [(row.song, row.model, row.stem, row.usdr) for row in rows])
