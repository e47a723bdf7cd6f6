"""Demucs networks over a whole song, window by window, with only the part under the windows in memory."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.files.ordered_pool import ordered_map
from stream_sep.files.rolling_mix import Mix, RollingMix
from stream_sep.files.segments import padded_length, plan_passes
from stream_sep.separators.demucs.networks import is_transformer
from stream_sep.separators.demucs.window_runner import InferenceRunner, split_torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stream_sep.files.segments import ShiftedPass
    from stream_sep.files.settings import SeparationSettings
    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.protocols import Block, Stems
    from stream_sep.separators.demucs.networks import Part


MIN_SEGMENT_SECONDS = 1.5
"""Shortest segment that is tried when memory runs out."""


class DemucsSongModel:
    """Separates a song as `demucs.apply.apply_model` does, but in one pass through the song.

    Every network, at every shift, is a run; all runs advance through the song together, the one furthest behind
    first, and a frame is output when the last window over it has been added. So memory does not grow with the song,
    and its beginning is ready first. Networks that no requested stem needs are not run.

    Args:
        parts: the networks.
        stems: the stems to make, in the order of the output; all unless given.
        settings: shifts, overlap, segment and the rest.
        device: where torch computes.

    Raises:
        ConfigError: a stem that the networks do not have.
    """

    def __init__(
        self, parts: Sequence[Part], stems: Sequence[str] | None, settings: SeparationSettings, device: str
    ) -> None:
        first = parts[0].network
        self.sources = tuple(first.sources)
        self.stems = tuple(self.sources if stems is None else stems)
        unknown = [name for name in self.stems if name not in self.sources]
        if unknown:
            raise ConfigError(f"this model has no stem {unknown[0]!r}; it has: {', '.join(self.sources)}")
        self._parts, self._settings, self._device = parts, settings, device
        self._selected = [self.sources.index(name) for name in self.stems]
        self._runs = plan_passes(parts, self._selected, settings)
        self._runner = InferenceRunner(device, settings.precision)
        for part in parts:
            if is_transformer(part.network):
                part.network.use_train_segment = not settings.short_windows

    @property
    def networks(self) -> int:
        """Number of networks that run for each window of the song."""
        return len({run.network for run in self._runs})

    @property
    def runs(self) -> list[ShiftedPass]:
        """Every network over the song, at every shift."""
        return self._runs

    def window(self, run: ShiftedPass, index: int, mix: Mix, level: SongStatistics) -> tuple[int, Stems]:
        """Compute one of the windows that begin within the song; in any order.

        Args:
            run: the shifted pass.
            index: index of the window in it.
            mix: the song.
            level: its statistics.

        Returns:
            The first frame of the song that it covers, and what it adds to the stems from there, ``(stems, 2,
            frames)``: normalised, and less their share of the song's mean.
        """
        window, compute = self._prepare(run, index, mix, level)
        return self._weigh(window, compute())

    @property
    def stft_size(self) -> int:
        """Return 0: these are normalised by the deviation of the song."""
        return 0

    @cached_property
    def cache_key(self) -> str:
        """The hash of all weights, and the settings."""
        sum_of_weights = hashlib.blake2b(self._settings.fingerprint().encode(), digest_size=16)
        for part in self._parts:
            sum_of_weights.update(repr(part.weights).encode())
            for weights in part.network.state_dict().values():
                sum_of_weights.update(weights.cpu().contiguous().numpy())
        return sum_of_weights.hexdigest()

    def rate_for(self, _song_rate: int) -> int:
        """Return the networks' own rate."""
        return int(self._parts[0].network.samplerate)

    def with_stems(self, stems: Sequence[str]) -> DemucsSongModel:
        """Return a pass for some of the stems, with the same networks."""
        return DemucsSongModel(self._parts, stems, self._settings, self._device)

    def with_less_memory(self) -> tuple[DemucsSongModel, str] | None:
        """Return a pass with windows half as long, or, where they are short already, one on the CPU."""
        segment = min(run.grid.segment for run in self._runs) / self._parts[0].network.samplerate / 2
        if segment >= MIN_SEGMENT_SECONDS:
            settings = replace(self._settings, segment=segment, short_windows=True)
            return DemucsSongModel(
                self._parts, self.stems, settings, self._device
            ), f"with windows of {segment:.2g} s"
        if self._device == "cpu":
            return None
        settings = replace(self._settings, segment=None, short_windows=False, device="cpu")
        return DemucsSongModel(self._parts, self.stems, settings, "cpu"), "on the CPU"

    def separate(self, blocks: Iterable[Block], _rate: int, level: SongStatistics) -> Iterator[tuple[Block, Stems]]:
        """Yield the mix, ``(2, frames)``, and its stems, ``(stems, 2, frames)``, from the first frame to the last.

        Args:
            blocks: the song, at the rate of the networks.
            level: of the same song, for Demucs' normalisation.
        """
        mix, stems = RollingMix(blocks), np.zeros((len(self.stems), 2, 0), np.float32)
        longest = max(run.grid.segment for run in self._runs)
        given = 0
        for window, following, parts in self._computed(mix, level, longest):
            at, sound = self._weigh(window, parts)
            stems = _add(stems, at - given, sound)
            ready = min(following, mix.end) - given
            if ready > 0:
                yield mix.read(given, given + ready), stems[..., :ready] * level.deviation + np.float32(level.mean)
                stems, given = stems[..., ready:], given + ready
                mix.discard_before(following - longest)

    def _computed(self, mix: RollingMix, level: SongStatistics, longest: int) -> Iterator[tuple[_Window, int, Stems]]:
        """Yield the networks' output for all windows, in order; see `_in_turn`."""
        at_once = self._runner.at_once(longest / self._parts[0].network.samplerate)
        with split_torch_threads(at_once) as (take_share, take_all):
            for (window, following), parts in ordered_map(self._in_turn(mix, level), at_once, take_share, take_all):
                yield window, following, parts

    def _in_turn(
        self, mix: RollingMix, level: SongStatistics
    ) -> Iterator[tuple[tuple[_Window, int], Callable[[], Stems]]]:
        """Yield the windows of all runs, ordered by their start, with a function that computes each.

        Each comes with the start of the next window: frames before that are final.
        """
        due = [(run.start, index, 0) for index, run in enumerate(self._runs)]
        heapq.heapify(due)
        while due:
            start, index, number = heapq.heappop(due)
            run = self._runs[index]
            if mix.fill(start + 2 * run.grid.segment) <= start:
                continue
            heapq.heappush(due, (start + run.grid.stride, index, number + 1))
            window, compute = self._prepare(run, number, mix, level)
            yield (window, due[0][0]), compute

    def _prepare(
        self, run: ShiftedPass, number: int, mix: Mix, level: SongStatistics
    ) -> tuple[_Window, Callable[[], Stems]]:
        network, start = self._parts[run.network].network, run.start + number * run.grid.stride
        length = min(run.grid.segment, mix.end - start)
        reach = padded_length(network, length, self._settings)
        before = (reach - length) // 2
        sound = mix.normalised(start - before, start - before + reach, level)
        return _Window(run, number, start, before, length), self._runner.prepare(network, sound)

    def _weigh(self, window: _Window, parts: Stems) -> tuple[int, Stems]:
        """Return the first frame of a window, not before the song's, and its contribution to the stems from there."""
        part = self._parts[window.run.network]
        counts = [part.weights[source] / max(1, self._settings.shifts) for source in self._selected]
        shares = np.array(counts, np.float32)[:, None, None]
        covered = parts[self._selected][..., window.before : window.before + window.length]
        skipped = max(0, -window.start)
        gain = window.run.grid.gain(window.number)[: window.length]
        return window.start + skipped, (shares * covered * gain)[..., skipped:]


@dataclass(frozen=True)
class _Window:
    """One window of a run: its index, start, offset within the network's input, and length."""

    run: ShiftedPass
    number: int
    start: int
    before: int
    length: int


def _add(stems: Stems, at: int, sound: Stems) -> Stems:
    lacking = at + sound.shape[2] - stems.shape[2]
    if lacking > 0:
        stems = np.concatenate([stems, np.zeros((*stems.shape[:2], lacking), np.float32)], axis=2)
    stems[..., at : at + sound.shape[2]] += sound
    return stems
