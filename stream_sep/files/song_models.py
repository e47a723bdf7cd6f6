"""Models that separate whole songs, selected by name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from stream_sep.errors import SeparatorError
from stream_sep.files.settings import DEFAULT_MODEL
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.lowlevel.malloc import disable_malloc_trim
from stream_sep.separators import DEFAULT_FOR_SONGS, is_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from stream_sep.files.settings import SeparationSettings
    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.protocols import Block, Stems


class SongModel(Protocol):
    """Separates a song, read in blocks, with bounded memory."""

    @property
    def sources(self) -> tuple[str, ...]:
        """All stems of the model."""
        ...

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems it computes, in the order of the output's first axis."""
        ...

    @property
    def stft_size(self) -> int:
        """Size of the STFT whose largest magnitude over the song it needs; 0 for none."""
        ...

    @property
    def cache_key(self) -> str:
        """Identifies its weights; empty if its stems are not worth caching."""
        ...

    def rate_for(self, song_rate: int) -> int:
        """Return the frames per second it works at, for a song of ``song_rate``."""
        ...

    def separate(self, blocks: Iterable[Block], rate: int, level: SongStatistics) -> Iterator[tuple[Block, Stems]]:
        """Yield the mix, ``(2, frames)``, and its stems, ``(stems, 2, frames)``, from the first frame to the last.

        Args:
            blocks: the mix, ``(2, frames)`` each.
            rate: frames per second.
            level: the song's statistics.
        """
        ...

    def with_stems(self, stems: Sequence[str]) -> SongModel:
        """Return one that makes some of the stems, from the same weights.

        Raises:
            ConfigError: a stem that it does not have.
        """
        ...

    def with_less_memory(self) -> tuple[SongModel, str] | None:
        """Return a model to retry with when memory ran out, and a message; None if there is none."""
        ...


def load_song_model(settings: SeparationSettings) -> SongModel:
    """Load the model of settings, to make all its stems.

    Raises:
        SeparatorError: the model is unknown, its weights are not here, or Demucs is not installed.
        ConfigError: a setting that it refuses.
    """
    if is_known(settings.model) and settings.model != "demucs":
        return StreamingSongModel(None, settings)
    _prepare_process()
    from stream_sep.files.demucs_pass import DemucsSongModel  # noqa: PLC0415 - which imports Numba
    from stream_sep.separators.demucs.networks import load_network  # noqa: PLC0415 - as above
    from stream_sep.separators.torch_device import prepare_torch  # noqa: PLC0415 - only here when a model is

    try:
        parts = load_network("htdemucs" if settings.model == "demucs" else settings.model, settings.repo)
    except SeparatorError as error:
        raise SeparatorError(f"{error}; or use --model live, whose weights are bundled") from error
    return DemucsSongModel(parts, None, settings, prepare_torch(settings.device, settings.threads))


def default_song_model(repo: Path | None = None) -> str:
    """Return the model for songs if none is named: HTDemucs if its weights are here, otherwise a bundled one.

    Args:
        repo: folder with weights of Demucs, if one is named.
    """
    from stream_sep.separators.demucs.local_weights import has_local_weights  # noqa: PLC0415 - only if none is named

    return DEFAULT_MODEL if repo is not None or has_local_weights(DEFAULT_MODEL) else DEFAULT_FOR_SONGS


class ModelShelf:
    """Loaded models, by their settings: formats and choices of stems need no second load.

    Args:
        capacity: most models kept; loading another evicts the least recently used.
    """

    def __init__(self, capacity: int = 2) -> None:
        self._capacity = capacity
        self._models: dict[str, SongModel] = {}

    def get(self, settings: SeparationSettings) -> SongModel:
        """Return the model of settings, with all its stems; see `load_song_model`.

        Raises:
            SeparatorError: it cannot be loaded.
            ConfigError: a setting that it refuses.
        """
        key = repr(settings)
        model = self._models.pop(key, None)
        if model is None:
            while len(self._models) >= self._capacity:
                del self._models[next(iter(self._models))]
            model = load_song_model(settings)
        self._models[key] = model
        return model


def _prepare_process() -> None:
    """Make threads wait without spinning, and keep freed memory for the next window.

    Where other programs run, threads that spin take the cores from each other; torch reads this when it is loaded.
    (Large pages, ``THP_MEM_ALLOC_ENABLE``, would save a second of the first window, and take 0.6 GB more.)
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    disable_malloc_trim()
