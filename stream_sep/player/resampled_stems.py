"""Random access to a song's stems at another sample rate."""

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
_END_OF_TIME = 1 << 61


class ResampledStems:
    """Stems resampled to ``rate``.

    They are resampled in granules with a margin that is cut off, so that granules join without a seam and frame
    ``n`` is at ``n / rate`` seconds whatever was read before.

    Args:
        stems: the stems to resample.
        made: their frames per second.
        rate: target frames per second.
    """

    def __init__(self, stems: SongStems, made: int, rate: int) -> None:
        shared = math.gcd(made, rate)
        self._inner, self.stems = stems, stems.stems
        self._rates, self._down, self._up = (made, rate), made // shared, rate // shared
        steps = max(1, _LENGTH // self._up)
        self._output_frames, self._input_frames = steps * self._up, steps * self._down
        self._margin = math.ceil(_MARGIN / self._down)  # in steps too, so that a frame begins where a frame began
        self._granule, self._sound = -1, np.zeros((len(stems.stems), 2, 0), np.float32)

    def ready_until(self, start: int) -> int:
        """Return the frame up to which stems are ready from ``start`` on; see `SongStems`."""
        first = start // self._output_frames
        begin = first * self._input_frames - self._margin * self._down
        end = self._inner.ready_until(max(begin, 0))
        if end >= _END_OF_TIME:
            return end
        whole = (end - self._margin * self._down) // self._input_frames
        return max(start, whole * self._output_frames) if whole > first else start

    def read(self, start: int, frames: int) -> Stems:
        """Return ``(stems, 2, frames)``; see `SongStems`."""
        parts, at = [], start
        while at < start + frames:
            inside = at % self._output_frames
            part = self._resampled(at // self._output_frames)[..., inside : inside + start + frames - at]
            parts.append(part)
            at += part.shape[2]
        return np.concatenate(parts, axis=2)

    def close(self) -> None:
        """Close the files."""
        self._inner.close()

    def _resampled(self, granule: int) -> Stems:
        if granule != self._granule:
            margin = self._margin * self._down
            sound = self._inner.read(granule * self._input_frames - margin, self._input_frames + 2 * margin)
            flat = soxr.resample(sound.reshape(-1, sound.shape[2]).T, *self._rates)
            cut = self._margin * self._up
            whole = flat[cut : cut + self._output_frames].T.reshape(len(self.stems), 2, self._output_frames)
            self._granule, self._sound = granule, np.ascontiguousarray(whole, np.float32)
        return self._sound
