"""SDR of a separator on songs with reference stems, streamed through it hop by hop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import soxr

from stream_sep.errors import AudioFileError
from stream_sep.files.song import open_song
from stream_sep.protocols import STEMS, Block
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stream_sep.files.song import Song as SongFile
    from stream_sep.protocols import Separator

Parts: TypeAlias = dict[str, Block]
"""Stems by name, ``(2, frames)`` each."""

BASELINES = ("mix", "mid/side")
"""Estimates that cost nothing, scored beside every model."""

ACCOMPANIMENT = "accompaniment"
"""All but the vocals; a score beside the stems' own."""

_INSTRUMENTS = "instruments"

_EPSILON = 1e-7
"""Added to both energies of the score: silence estimated as silence is 0 dB."""

_SUFFIXES = (".wav", ".flac", ".ogg")
_STEM_FILE_RATE = 44100
_STEM_FILE_STREAMS = {"vocals": 4, "drums": 1, "bass": 2, "other": 3}


@dataclass(frozen=True)
class Song:
    """One song, its stems in memory; their sum is its mix."""

    name: str
    sample_rate: int
    stems: Parts

    @property
    def mix(self) -> Block:
        """The sum of the stems, ``(2, frames)``: what a file calls its mixture may differ from it."""
        total: Block = np.sum(list(self.stems.values()), axis=0, dtype=np.float32)
        return total


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
    so that every error counts. Its mean over songs is what `format_table` shows.

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
        folder: what `find_songs` finds songs in.
        model: name of a separator, as `load_separator` takes it.
        limit: so many songs at most, the first by name.
        sample_rate: frames per second to resample the songs to; their own unless given.
        skip: callback that receives a message for each song that cannot be read and is skipped; errors unless given.
        options: passed to the separator.

    Raises:
        AudioFileError: there is no song, or one cannot be read.
    """
    separator: Separator | None = None
    for song in load_songs(find_songs(folder)[:limit], sample_rate, skip):
        if separator is None or separator.sample_rate != song.sample_rate:
            separator = load_separator(model, song.sample_rate, **options)
        separator.reset()
        yield from score(song, model, separate(separator, song.mix))
        for name, estimates in zip(BASELINES, (estimate_mix(song.mix), estimate_mid_side(song.mix)), strict=True):
            yield from score(song, name, estimates)


def find_songs(folder: Path) -> list[Path]:
    """List the songs of a folder by name: ``*.stem.mp4`` files, and folders that hold ``vocals.wav`` and the like.

    Raises:
        AudioFileError: there is none.
    """
    entries = sorted(Path(folder).iterdir()) if Path(folder).is_dir() else []
    songs = [path for path in entries if path.name.endswith(".stem.mp4") or _stem_files(path)]
    if not songs:
        raise AudioFileError(
            f"no song in {folder}: looked for *.stem.mp4, and for folders with vocals.wav or the like"
        )
    return songs


def load_songs(
    paths: Iterable[Path], sample_rate: int | None = None, skip: Callable[[str], None] | None = None
) -> Iterator[Song]:
    """Read songs one after the other.

    Args:
        paths: some of `find_songs`.
        sample_rate: frames per second to resample them to; their own unless given.
        skip: callback that receives a message for each song that cannot be read and is skipped; errors unless given.

    Raises:
        AudioFileError: a song cannot be read.
    """
    for path in paths:
        try:
            song = load_song(path, sample_rate)
        except AudioFileError as error:
            if skip is None:
                raise
            skip(f"{path.name} is not scored: {error}")
            continue
        yield song


def load_song(path: Path, sample_rate: int | None = None) -> Song:
    """Read one of the paths of `find_songs`, resampled to ``sample_rate`` if given.

    Args:
        path: a path from `find_songs`.
        sample_rate: target frames per second; the song's own by default.

    Raises:
        AudioFileError: a file cannot be read, its stems differ in rate, or ffmpeg is missing.
    """
    rate, stems = _read_stem_file(path) if path.is_file() else _read_stem_folder(path)
    if sample_rate is not None and sample_rate != rate:
        stems = {name: soxr.resample(stem.T, rate, sample_rate).T for name, stem in stems.items()}
        rate = sample_rate
    frames = min(stem.shape[1] for stem in stems.values())
    if not frames:
        raise AudioFileError(f"{path} holds no sound")
    return Song(path.name.removesuffix(".stem.mp4"), rate, {name: stem[:, :frames] for name, stem in stems.items()})


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
    """Estimate every stem by the whole mix: what a listener has without a separator."""
    return dict.fromkeys((*STEMS, ACCOMPANIMENT), mix)


def estimate_mid_side(mix: Block) -> Parts:
    """Estimate the vocals by the mid, on both channels, and the rest by the side: the karaoke button of old."""
    mid = np.broadcast_to(mix.mean(axis=0, dtype=np.float32), mix.shape)
    return {"vocals": mid, ACCOMPANIMENT: mix - mid}


def score(song: Song, model: str, estimates: Parts) -> Iterator[Row]:
    """Score estimates by the stems of a song, and by its accompaniment; silent and missing stems are skipped.

    Without an estimate of its own, the accompaniment is the mix without the vocals' estimate.

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
    """Return what to score estimates by, and the estimates with the accompaniment that follows from them.

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


def _stem_files(folder: Path) -> dict[str, Path]:
    files = {(name, suffix): folder / (name + suffix) for suffix in _SUFFIXES for name in STEMS}
    return {name: path for (name, _), path in files.items() if path.is_file()}


def _read_stem_folder(folder: Path) -> tuple[int, Parts]:
    songs = {name: open_song(path) for name, path in _stem_files(folder).items()}
    rates = {song.sample_rate for song in songs.values()}
    if len(rates) != 1:
        raise AudioFileError(f"the stems in {folder} differ in sample rate: {sorted(rates)}; convert them to one")
    rate = rates.pop()
    return rate, {name: _read(song, rate) for name, song in songs.items()}


def _read_stem_file(path: Path) -> tuple[int, Parts]:
    songs = {name: open_song(path, stream) for name, stream in _STEM_FILE_STREAMS.items()}
    return _STEM_FILE_RATE, {name: _read(song, _STEM_FILE_RATE) for name, song in songs.items()}


def _read(song: SongFile, rate: int) -> Block:
    """Return a whole stem; one that is damaged would give a score that means nothing."""

    def refuse(why: str) -> None:
        raise AudioFileError(why)

    return np.concatenate([np.zeros((2, 0), np.float32), *song.blocks(rate, refuse)], axis=1)
