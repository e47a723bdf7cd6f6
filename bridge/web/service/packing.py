"""Stored stems: 16-bit FLAC, with peaks and spectrogram computed in the same pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import soundfile

from bridge.web.service.files import digest_of
from bridge.web.service.pictures import PeakMeter, Spectrogram

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 18


@dataclass(frozen=True)
class PackedStem:
    """A packed stem.

    Attributes:
        frames: count of frames.
        sample_rate: frames per second.
        size: bytes of the file.
        digest: BLAKE2b of the file.
        peaks: see `pictures`.
        spectrogram: see `pictures`.
    """

    frames: int
    sample_rate: int
    size: int
    digest: str
    peaks: bytes
    spectrogram: bytes


def pack_stem(source: Path, target: Path) -> PackedStem:
    """Write a stem as FLAC; 16-bit samples are unchanged.

    Args:
        source: a WAV file.
        target: the FLAC file.
    """
    peaks = PeakMeter()
    with soundfile.SoundFile(source) as sound:
        spectrogram = Spectrogram(sound.samplerate)
        with soundfile.SoundFile(target, "w", sound.samplerate, 2, "PCM_16", format="FLAC") as file:
            for block in sound.blocks(_BLOCK, dtype="float32", always_2d=True):
                file.write(block)
                peaks.add(block)
                spectrogram.add(block)
        frames, rate = sound.frames, sound.samplerate
    return PackedStem(frames, rate, target.stat().st_size, digest_of(target), peaks.result(), spectrogram.result())
