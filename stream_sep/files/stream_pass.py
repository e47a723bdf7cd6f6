"""A separator made for live streams, such as ``live``, over a whole song: its delay is taken away again."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stream_sep.files.settings import SeparationSettings
    from stream_sep.files.song import SongStatistics
    from stream_sep.protocols import Block, Stems

_RATES = (8000, 192000)
_USUAL_RATE = 44100


class StreamingSongModel:
    """Makes the stems of a song hop by hop; in the manner of `DemucsSongModel`.

    Args:
        stems: the stems to make, in the order of the output; all unless given.
        settings: which separator, with its options.

    Raises:
        ConfigError: a stem that the separator does not have, or an option it refuses.
        SeparatorError: no separator has that name.
    """

    cache_key = ""
    """Empty: these are as fast as reading a file, so that keeping their stems saves nothing."""

    def __init__(self, stems: Sequence[str] | None, settings: SeparationSettings) -> None:
        self._settings = settings
        self.sources = load_separator(settings.model, _USUAL_RATE, **settings.options).stems
        self.stems = tuple(self.sources if stems is None else stems)
        unknown = [name for name in self.stems if name not in self.sources]
        if unknown:
            raise ConfigError(f"{settings.model} has no stem {unknown[0]!r}; it has: {', '.join(self.sources)}")

    def rate_for(self, song_rate: int) -> int:
        """Return the rate to work at: the song's own within reason."""
        return song_rate if _RATES[0] <= song_rate <= _RATES[1] else _USUAL_RATE

    def with_stems(self, stems: Sequence[str]) -> StreamingSongModel:
        """Return a pass for some of the stems."""
        return StreamingSongModel(stems, self._settings)

    def with_less_memory(self) -> tuple[StreamingSongModel, str] | None:
        """Return None: these need hardly any memory."""
        return None

    def separate(self, blocks: Iterable[Block], rate: int, _level: SongStatistics) -> Iterator[tuple[Block, Stems]]:
        """Give the mix and its stems, as `DemucsSongModel.separate` does."""
        separator = load_separator(self._settings.model, rate, **self._settings.options)
        rows = [separator.stems.index(name) for name in self.stems]
        hop, skip = separator.hop, separator.latency
        after = np.zeros((2, separator.latency + hop - 1), np.float32)
        waiting, mix = np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32)
        for block, heard in itertools.chain(((block, block.shape[1]) for block in blocks), [(after, 0)]):
            waiting = np.concatenate([waiting, block], axis=1)
            mix = np.concatenate([mix, block[:, :heard]], axis=1)
            whole = waiting.shape[1] // hop * hop
            hops = [separator.process(waiting[:, at : at + hop])[rows] for at in range(0, whole, hop)]
            waiting = waiting[:, whole:]
            if not hops:
                continue
            stems = np.concatenate(hops, axis=2)
            dropped = min(skip, stems.shape[2])
            skip -= dropped
            stems = stems[..., dropped:][..., : mix.shape[1]]
            if stems.shape[2]:
                yield mix[:, : stems.shape[2]], stems
                mix = mix[:, stems.shape[2] :]
