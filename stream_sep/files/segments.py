"""The positions and weights of a network's windows in a song, as in Demucs' `apply_model`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.separators.demucs.networks import is_transformer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from stream_sep.files.settings import SeparationSettings
    from stream_sep.separators.demucs.networks import Part


@dataclass(frozen=True)
class SegmentGrid:
    """Windows of one length, one stride apart, crossfaded by triangles that add up to 1.

    Attributes:
        segment: frames of a window.
        stride: frames from one to the next.
    """

    segment: int
    stride: int

    @cached_property
    def _triangle(self) -> NDArray[np.float64]:
        rising = np.arange(1, self.segment // 2 + 1)
        falling = np.arange(self.segment - self.segment // 2, 0, -1)
        triangle = np.concatenate([rising, falling])
        scaled: NDArray[np.float64] = triangle / triangle.max()
        return scaled

    @cached_property
    def _gains(self) -> dict[int, NDArray[np.float32]]:
        return {}

    def gain(self, index: int) -> NDArray[np.float32]:
        """Return the weight of each frame of window ``index``; over all windows that cover a frame they sum to 1.

        >>> grid = SegmentGrid(segment=4, stride=2)
        >>> grid.gain(0).tolist(), (grid.gain(1)[:2] + grid.gain(0)[2:]).tolist()
        ([1.0, 1.0, 0.6666666865348816, 0.3333333432674408], [1.0, 1.0])
        """
        reach = (self.segment - 1) // self.stride
        before = min(index, reach)  # older windows do not reach this one
        if before not in self._gains:
            total = np.zeros(self.segment)
            for steps in range(-reach, before + 1):
                shift = steps * self.stride
                covered = slice(max(0, -shift), min(self.segment, self.segment - shift))
                total[covered] += self._triangle[covered.start + shift : covered.stop + shift]
            self._gains[before] = (self._triangle / total).astype(np.float32)
        return self._gains[before]


@dataclass(frozen=True)
class ShiftedPass:
    """One network over the whole song, at one shift.

    Attributes:
        network: index of the network.
        start: frame of the song at which the first window begins; a shift makes it negative.
        grid: the windows after that.
    """

    network: int
    start: int
    grid: SegmentGrid


def plan_passes(parts: Sequence[Part], selected: Sequence[int], settings: SeparationSettings) -> list[ShiftedPass]:
    """Return the passes that the ``selected`` sources need.

    Shifts are drawn for the other networks too, so that leaving out a stem does not change the others.

    Args:
        parts: members of the bag of models.
        selected: indices of the sources.
        settings: of the separation.
    """
    draw = random.Random(settings.seed)  # noqa: S311 - as Demucs draws; nothing secret
    runs = []
    for index, part in enumerate(parts):
        most = int(0.5 * part.network.samplerate)
        starts = [draw.randint(0, most) - most for _ in range(settings.shifts)] or [0]
        if any(part.weights[source] for source in selected):
            runs += [ShiftedPass(index, start, grid_of(part.network, settings)) for start in starts]
    return runs


def grid_of(network: Any, settings: SeparationSettings) -> SegmentGrid:  # noqa: ANN401 - torch modules are untyped here
    """Return the window grid of a network.

    Args:
        network: a Demucs network.
        settings: of the separation.

    Raises:
        ConfigError: the segment is longer than a transformer was trained for, or the overlap leaves no step.
    """
    longest = getattr(network, "segment", None) if is_transformer(network) else None
    if settings.segment is not None and longest is not None and settings.segment > longest:
        raise ConfigError(
            f"a segment of {settings.segment:g} s is longer than this model takes; at most {float(longest):g} s"
        )
    segment = int(network.samplerate * (settings.segment or network.segment))
    stride = int((1 - settings.overlap) * segment)
    if stride < 1 or segment < 2:
        raise ConfigError(f"a segment of {segment} frames with an overlap of {settings.overlap:g} leaves no step")
    return SegmentGrid(segment, stride)


def padded_length(network: Any, length: int, settings: SeparationSettings) -> int:  # noqa: ANN401 - as above
    """Return the frames of a network's input for a segment of ``length``, which is centred in it.

    Args:
        network: a Demucs network.
        length: frames of the segment.
        settings: of the separation.
    """
    if is_transformer(network):
        return grid_of(network, settings).segment
    return int(network.valid_length(length)) if hasattr(network, "valid_length") else length
