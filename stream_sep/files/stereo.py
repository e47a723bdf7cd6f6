"""Convert the sound of a song to stereo, and to another sample rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

_HALF = math.sqrt(0.5)

DOWNMIX = {
    3: [(1, 0), (0, 1), (_HALF, _HALF)],
    4: [(1, 0), (0, 1), (_HALF, 0), (0, _HALF)],
    5: [(1, 0), (0, 1), (_HALF, _HALF), (_HALF, 0), (0, _HALF)],
    6: [(1, 0), (0, 1), (_HALF, _HALF), (0, 0), (_HALF, 0), (0, _HALF)],
    8: [(1, 0), (0, 1), (_HALF, _HALF), (0, 0), (_HALF, 0), (0, _HALF), (_HALF, 0), (0, _HALF)],
}
"""Channels of a file -> gains of each to left and right: surround downmix as in ITU-R BS.775."""


def to_stereo(block: NDArray[np.float32]) -> Block:
    """Return frames ``(frames, channels)`` of a file as stereo ``(2, frames)``; mono goes to both channels."""
    sound = block
    if sound.shape[1] > 2:
        gains = np.array(DOWNMIX[sound.shape[1]], np.float32)
        sound = sound @ (gains / gains.sum(axis=0).max())  # so that no channel can push the sum over full scale
    return np.ascontiguousarray(np.broadcast_to(sound, (len(sound), 2)).T)


def resample(blocks: Iterable[Block], rate: int, out_rate: int) -> Iterator[Block]:
    """Yield stereo sound at another rate, block by block.

    Args:
        blocks: the sound.
        rate: its frames per second.
        out_rate: those to convert to.
    """
    stream = soxr.ResampleStream(rate, out_rate, 2, "float32")
    for block in blocks:
        resampled = stream.resample_chunk(np.ascontiguousarray(block.T))
        if len(resampled):
            yield np.ascontiguousarray(resampled.T)
    rest = stream.resample_chunk(np.zeros((0, 2), np.float32), last=True)
    if len(rest):
        yield np.ascontiguousarray(rest.T)
