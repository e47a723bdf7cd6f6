"""Peaks and spectrograms of stems on disk."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Literal

import soundfile

from bridge.web.service.pictures import PeakMeter, Spectrogram
from bridge.web.service.pieces import StemSource, frame_blobs, not_ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 1 << 18
Kind = Literal["peaks", "spectrogram"]


def growing_pictures(source: StemSource, kind: Kind) -> bytes:
    """Return the framed peaks or spectrograms of the available part of stems that are being written.

    Args:
        source: the folder with the growing stems.
        kind: ``peaks`` or ``spectrogram``.

    Raises:
        Problem: they were just completed; the client tries again.
    """
    try:
        return frame_blobs([_draw(path, source, kind) for path in source.files])
    except (OSError, soundfile.SoundFileError):
        raise not_ready() from None


def write_pictures(folder: Path, kind: Kind, blobs: list[bytes]) -> None:
    """Write framed blobs as ``KIND.bin.gz``.

    Args:
        folder: the folder.
        kind: ``peaks`` or ``spectrogram``.
        blobs: one per stem.
    """
    (folder / f"{kind}.bin.gz").write_bytes(gzip.compress(frame_blobs(blobs), 5, mtime=0))


def _draw(path: Path, source: StemSource, kind: Kind) -> bytes:
    meter = PeakMeter() if kind == "peaks" else Spectrogram(source.sample_rate)
    for block in _blocks(path, source.frames):
        meter.add(block)
    return meter.result()


def _blocks(path: Path, frames: int) -> Iterator[NDArray[np.float32]]:
    with soundfile.SoundFile(path) as file:
        yield from file.blocks(_BLOCK, frames=frames, dtype="float32", always_2d=True)
