"""Stems of a song at another rate than they were made at, from any frame on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from stream_sep.player.song_stems import SongStems
    from stream_sep.protocols import Stems

_LENGTH = 4096  # frames that are resampled at once, about
_MARGIN = 512  # frames on either side, about: longer than the filter
_FAR = 1 << 61


class ResampledStems:
    """Stems as if they had been made at ``rate``.

    They are resampled a granule at a time, each with a margin that is then cut off, so that granules meet without a
    seam and frame ``n`` lies at second ``n / rate`` whatever was read before.

    Args:
        stems: what is read.
        made: frames per second of it.
        rate: frames per second that are wanted.
    """

    def __init__(self, stems: SongStems, made: int, rate: int) -> None:
        shared = math.gcd(made, rate)
        self._inner, self.stems = stems, stems.stems
        self._rates, self._down, self._up = (made, rate), made // shared, rate // shared
        steps = max(1, _LENGTH // self._up)
        self._given, self._taken = steps * self._up, steps * self._down
        self._margin = math.ceil(_MARGIN / self._down)  # in steps too, so that a frame begins where a frame began
        self._granule, self._sound = -1, np.zeros((len(stems.stems), 2, 0), np.float32)

    def ready_until(self, start: int) -> int:
        """Return the frame up to which all is ready from ``start`` on; see `SongStems`."""
        first = start // self._given
        begin = first * self._taken - self._margin * self._down
        end = self._inner.ready_until(max(begin, 0))
        if end >= _FAR:
            return end
        whole = (end - self._margin * self._down) // self._taken
        return max(start, whole * self._given) if whole > first else start

    def read(self, start: int, frames: int) -> Stems:
        """Return ``(stems, 2, frames)``; see `SongStems`."""
        parts, at = [], start
        while at < start + frames:
            inside = at % self._given
            part = self._resampled(at // self._given)[..., inside : inside + start + frames - at]
            parts.append(part)
            at += part.shape[2]
        return np.concatenate(parts, axis=2)

    def close(self) -> None:
        """Let go of files."""
        self._inner.close()

    def _resampled(self, granule: int) -> Stems:
        if granule != self._granule:
            margin = self._margin * self._down
            sound = self._inner.read(granule * self._taken - margin, self._taken + 2 * margin)
            flat = soxr.resample(sound.reshape(-1, sound.shape[2]).T, *self._rates)
            cut = self._margin * self._up
            whole = flat[cut : cut + self._given].T.reshape(len(self.stems), 2, self._given)
            self._granule, self._sound = granule, np.ascontiguousarray(whole, np.float32)
        return self._sound
