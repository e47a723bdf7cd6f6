"""A separator to score: in the form that `separate` uses, or live, and the source groups of its stems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from stream_sep.files.stream_pass import load_for_songs, process_hops
from stream_sep.protocols import STEMS
from stream_sep.separators import load_separator
from stream_sep.separators.source_groups import FOUR, REST, SourceGroups
from stream_sep.separators.spectral_peak import spectral_peak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.evaluation.songs import Parts
    from stream_sep.protocols import Block, Separator

_RESTS = ("instruments", "instrumental", "accompaniment")
_USUAL_RATE = 44100
_BLOCK = 1 << 20  # frames that are separated at a time


class ScoredModel:
    """Separates songs in memory, and names the source groups of its stems.

    Args:
        model: name or weight file of a separator, as for `load_separator`.
        options: its options.
        live: whether it runs hop by hop as in a stream, in place of in the windows or blocks that `separate` uses.

    Raises:
        SeparatorError: it cannot be loaded.
        ConfigError: an option that it refuses.
    """

    def __init__(self, model: str, options: Mapping[str, Any], *, live: bool = False) -> None:
        self._model, self._options, self._live = model, dict(options), live
        self._separators: dict[int, Separator] = {}
        self._groups: SourceGroups | None = None

    @property
    def groups(self) -> SourceGroups | None:
        """The source groups of its stems; None if their names are of no known sources."""
        if self._groups is None:
            stems = self._separator(next(iter(self._separators), _USUAL_RATE)).stems
            self._groups = groups_of(stems, self._model, self._options)
        return self._groups

    def separate(self, mix: Block, rate: int) -> Parts:
        """Return the stems of a whole mix, aligned with it.

        Args:
            mix: ``(2, frames)``.
            rate: frames per second.
        """
        separator = self._separator(rate)
        if separator.sample_rate == rate:
            return separate_song(separator, mix, live=self._live)
        given = soxr.resample(mix.T, rate, separator.sample_rate).T
        made = separate_song(separator, np.ascontiguousarray(given), live=self._live)
        frames = mix.shape[1]
        back = {stem: soxr.resample(each.T, separator.sample_rate, rate).T for stem, each in made.items()}
        return {stem: np.pad(each, ((0, 0), (0, 1)))[:, :frames] for stem, each in back.items()}

    def _separator(self, rate: int) -> Separator:
        if rate not in self._separators:
            self._separators[rate] = self._load(rate)
        return self._separators[rate]

    def _load(self, rate: int) -> Separator:
        if self._live:
            return load_separator(self._model, rate, **self._options)
        return load_for_songs(self._model, rate, self._options)


def separate_song(separator: Separator, mix: Block, *, live: bool = False) -> Parts:
    """Return the stems of a whole mix, aligned with it.

    Args:
        separator: the separator, which is reset.
        mix: ``(2, frames)``.
        live: whether to run single hops where the separator has a faster way for many.
    """
    one: Any = separator
    one.reset()
    if getattr(one, "stft_size", 0):
        one.set_peak(spectral_peak([mix], one.stft_size))
    hop, latency, frames = separator.hop, separator.latency, mix.shape[1]
    total = -(-(frames + latency) // hop) * hop
    padded = np.pad(mix, ((0, 0), (0, total - frames)))
    stems = np.empty((len(separator.stems), separator.channels, total), np.float32)
    size = max(_BLOCK // hop, 1) * hop
    for start in range(0, total, size):
        stems[..., start : start + size] = process_hops(separator, padded[:, start : start + size], single=live)
    return dict(zip(separator.stems, stems[..., latency : latency + frames], strict=True))


def groups_of(stems: Sequence[str], model: str, options: Mapping[str, Any]) -> SourceGroups | None:
    """Return the source groups of a separator's stems: those in its weight file, or those that their names mean.

    Args:
        stems: its stems.
        model: as for `load_separator`.
        options: as for `load_separator`.

    >>> groups_of(("drums", "no_drums"), "mine", {}).sources_of("no_drums", ("bass", "drums", "piano"))
    ('bass', 'piano')
    >>> groups_of(("left", "right"), "mine", {}) is None
    True
    """
    weights = Path(str(options.get("weights", model)))
    if weights.suffix == ".safetensors" and not weights.with_suffix(".yaml").is_file():
        from stream_sep.separators.weight_file import read_metadata  # noqa: PLC0415 - reads the file

        groups = read_metadata(weights)[0].get("groups")
        if groups is not None:
            return SourceGroups.from_table(json.loads(groups))
    if {*stems} == {*STEMS}:
        return FOUR
    rests = [stem for stem in stems if stem in _RESTS or (stem.startswith("no_") and stem[3:] in stems)] or [
        stem for stem in stems if stem == "other"
    ]
    if len(rests) != 1 or len(stems) < 2:
        return None
    named = [stem for stem in stems if stem != rests[0]]
    return SourceGroups((*((stem, (stem,)) for stem in named), (rests[0], (REST,))))
