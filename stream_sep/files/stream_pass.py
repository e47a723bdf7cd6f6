"""A streaming separator, such as ``live``, over a whole song, with its latency compensated."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.files.separator_settings import separator_options
from stream_sep.separators import config_file_of, is_weight_file, load_separator
from stream_sep.separators.ensemble import average_shifts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stream_sep.files.settings import SeparationSettings
    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.protocols import Block, Separator, Stems

_RATES = (8000, 192000)
_USUAL_RATE = 44100


class StreamingSongModel:
    """Separates a song hop by hop; the streaming counterpart of `DemucsSongModel`.

    Args:
        stems: the stems to compute, in the order of the output; all unless given.
        settings: the separator, with its options.

    Raises:
        ConfigError: a stem that the separator does not have, or an invalid option.
        SeparatorError: an unknown separator.
    """

    def __init__(self, stems: Sequence[str] | None, settings: SeparationSettings) -> None:
        self.settings = settings
        separator = _load(settings, _USUAL_RATE)
        self._idle, self.sources = [separator], separator.stems
        self._has_own_rate = has_own_rate(separator)
        self.stft_size = int(getattr(separator, "stft_size", 0))
        self.cache_key = _cache_key(settings, self.stft_size)
        self.stems = _chosen(stems, self.sources, settings.model)

    def rate_for(self, song_rate: int) -> int:
        """Return the rate to work at: the song's own within reason, or that of a model of windows."""
        if self._has_own_rate:
            return _USUAL_RATE
        return song_rate if _RATES[0] <= song_rate <= _RATES[1] else _USUAL_RATE

    def with_stems(self, stems: Sequence[str]) -> StreamingSongModel:
        """Return a pass for some of the stems."""
        chosen = copy.copy(self)
        chosen.stems = _chosen(stems, self.sources, self.settings.model)
        return chosen

    def with_less_memory(self) -> tuple[StreamingSongModel, str] | None:
        """Return None: these need hardly any memory."""
        return None

    def separate(self, blocks: Iterable[Block], rate: int, level: SongStatistics) -> Iterator[tuple[Block, Stems]]:
        """Yield the mix and its stems, as `DemucsSongModel.separate` does."""
        separator: Any = self._separator_for(rate)
        if self.stft_size:
            separator.set_peak(level.spectral_peak)
        rows = [separator.stems.index(name) for name in self.stems]
        hop, skip = separator.hop, separator.latency
        after = np.zeros((2, separator.latency + hop - 1), np.float32)
        waiting, mix = np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32)
        for block, used in itertools.chain(((block, block.shape[1]) for block in blocks), [(after, 0)]):
            waiting = np.concatenate([waiting, block], axis=1)
            mix = np.concatenate([mix, block[:, :used]], axis=1)
            whole = waiting.shape[1] // hop * hop
            if not whole:
                continue
            stems = process_hops(separator, waiting[:, :whole])[rows]
            waiting = waiting[:, whole:]
            dropped = min(skip, stems.shape[2])
            skip -= dropped
            stems = stems[..., dropped:][..., : mix.shape[1]]
            if stems.shape[2]:
                yield mix[:, : stems.shape[2]], stems
                mix = mix[:, stems.shape[2] :]
        self._idle.append(separator)

    def _separator_for(self, rate: int) -> Separator:
        """Return one as fresh: the last one, where it works at that rate."""
        separator = self._idle.pop() if self._idle else None
        if separator is None or separator.sample_rate != rate:
            return _load(self.settings, rate)
        separator.reset()
        return separator


def _chosen(stems: Sequence[str] | None, sources: tuple[str, ...], model: str) -> tuple[str, ...]:
    chosen = tuple(sources if stems is None else stems)
    unknown = [name for name in chosen if name not in sources]
    if unknown:
        raise ConfigError(f"{model} has no stem {unknown[0]!r}; it has: {', '.join(sources)}")
    return chosen


def _load(settings: SeparationSettings, rate: int) -> Separator:
    """Load a separator, as many times as there are shifts if it computes hop by hop."""
    options = separator_options(settings)
    first = _file_form(load_separator(settings.model, rate, **options))
    shifts = 1 if has_own_rate(first) else settings.shifts
    others = (_file_form(load_separator(settings.model, rate, **options)) for _ in range(1, shifts))
    return average_shifts([first, *others])


def load_for_songs(model: str, rate: int, options: Mapping[str, Any]) -> Separator:
    """Load a separator in the form that `StreamingSongModel` uses, for songs in memory.

    Args:
        model: as for `load_separator`.
        rate: of the songs; the separator's `sample_rate` is another if songs must be resampled for it.
        options: as for `load_separator`.

    Raises:
        SeparatorError: it cannot be loaded.
        ConfigError: an option that it refuses.
    """
    separator = _file_form(load_separator(model, _USUAL_RATE, **options))
    if rate == _USUAL_RATE or has_own_rate(separator):
        return separator
    return _file_form(load_separator(model, rate, **options))


def _file_form(separator: Separator) -> Separator:
    made: Separator = getattr(separator, "for_files", lambda: separator)()
    return made


def has_own_rate(separator: Separator) -> bool:
    """Return whether songs must be resampled for a separator: one of windows, for files."""
    return bool(getattr(separator, "has_own_rate", False))


def process_hops(separator: Separator, block: Block, *, single: bool = False) -> Stems:
    """Separate whole hops; at once, where a separator has a faster way for many of them.

    Args:
        separator: the separator.
        block: ``(2, frames)``, whole hops.
        single: whether to process them one by one in any case.

    Returns:
        ``(stems, 2, frames)``.
    """
    many = None if single else getattr(separator, "process_many", None)
    if many is not None:
        stems: Stems = many(block)
        return stems
    hop = separator.hop
    return np.concatenate(
        [separator.process(block[:, at : at + hop]).copy() for at in range(0, block.shape[1], hop)], axis=2
    )


def model_files_of(settings: SeparationSettings) -> list[Path]:
    """Return the files that settings name and a model is loaded from: of weights, and a config of a checkpoint."""
    files = weight_file_of(settings), config_file_of(settings.model, settings.options)
    return [file for file in files if file is not None]


def weight_file_of(settings: SeparationSettings) -> Path | None:
    """Return the file of weights that settings name, as its model or as an option."""
    if is_weight_file(settings.model):
        return Path(settings.model)
    named = settings.options.get("weights")
    return Path(str(named)) if named is not None and is_weight_file(str(named)) else None


def _cache_key(settings: SeparationSettings, stft_size: int = 0) -> str:
    """Return the identity of a model's weights; empty for bundled models, which are as fast as a disk."""
    path = weight_file_of(settings)
    if path is None:
        return ""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    config = config_file_of(settings.model, settings.options)
    if config is not None:
        digest.update(config.read_bytes())
    options = {name: value for name, value in settings.options.items() if name != "weights"}
    if settings.shifts > 1:
        options["shifts"] = settings.shifts
    if stft_size:
        options["level"] = "song"  # earlier versions divided by that of the window
    digest.update(json.dumps(options, sort_keys=True, default=str).encode())
    return digest.hexdigest()
