"""Measurements of a sound for the fit: the cues of `bands` in its mix, and the stems' cross spectra with that mix.

The error of a masked spectrum needs three numbers a bin and no phase: ``|m X - S|^2 = m^2 |X|^2 - 2 m Re(S X*) +
|S|^2``. Every cue is measured at every hop, as cues have state, but only every twelfth hop is kept, and fewer bins at
higher frequencies: neighbours are much alike, and the measurements of all clips fit into memory.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from clips import RATE
from numpy.typing import NDArray

from stream_sep.errors import AudioFileError
from stream_sep.protocols import Block
from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.separator import BandsSeparator, analysis_frames, asymmetric_windows, median_hops
from stream_sep.separators.bands.state import initial_bands_state, make_config

_EVERY = 12
"""Hops from one kept spectrum to the next."""

_KEPT = 94
"""Spectra kept of each clip, so that clips stack: 6.5 seconds."""

_RANGES = ((0, 600, 1), (600, 3000, 5), (3000, 16000, 20))
"""Hertz from, Hertz to, and one of how many bins is kept between."""

_SEPARATOR = BandsSeparator(sample_rate=RATE)
_HOP = _SEPARATOR.hop
_SYNTHESIS = _SEPARATOR.latency + _HOP
_WINDOW = analysis_frames(RATE)


class Measurements(NamedTuple):
    """Float32 arrays of many sounds, or of one without the first axis; planes are mid and side."""

    cues: NDArray[np.float32]  # (sounds, cues, spectra, bins)
    powers: NDArray[np.float32]  # (sounds, planes, spectra, bins): of the mix
    products: NDArray[np.float32]  # (sounds, stems, planes, spectra, bins): real part of stem times conjugate mix
    energies: NDArray[np.float32]  # (sounds, stems): of all that is kept


def kept_bins() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the bins that are kept, and how many bins each one stands for."""
    frequencies = np.arange(_WINDOW // 2 + 1) * RATE / _WINDOW
    parts = [np.flatnonzero((frequencies >= low) & (frequencies < high))[::step] for low, high, step in _RANGES]
    counts = [np.full(len(part), step, np.float32) for part, (_, _, step) in zip(parts, _RANGES, strict=True)]
    return np.concatenate(parts), np.concatenate(counts)


def kept_frequencies() -> NDArray[np.float64]:
    """Return the frequencies of `kept_bins`, in Hertz."""
    return kept_bins()[0] * RATE / _WINDOW


def measure_all(sounds: Iterable[Block]) -> Measurements:
    """Measure sounds, ``(stems, 2, frames)`` each, one after the other."""
    return Measurements(*map(np.stack, zip(*map(measure, sounds), strict=True)))


def measure(stems: Block) -> Measurements:
    """Measure one sound.

    Raises:
        AudioFileError: it is too short.
    """
    if stems.shape[2] < _KEPT * _EVERY * _HOP:
        raise AudioFileError(f"a clip is shorter than {_KEPT * _EVERY * _HOP / RATE:.1f} s; leave it out")
    cues, spectra = _analyze(np.concatenate([stems.sum(axis=0, keepdims=True), stems]))
    mix, parts = spectra[0], spectra[1:]
    energies = (np.abs(parts) ** 2 * kept_bins()[1]).sum(axis=(1, 2, 3))
    return Measurements(cues, np.abs(mix) ** 2, (parts * mix.conj()).real, energies)


def _analyze(sounds: Block) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
    """Return the cues of the first sound, the mix, and spectra of all, ``(sounds, planes, spectra, bins)``."""
    bins, _ = kept_bins()
    analysis, _ = asymmetric_windows(_WINDOW, _SYNTHESIS)
    layout, memory = (
        make_config(RATE, _WINDOW, _HOP),
        initial_bands_state(_WINDOW // 2 + 1, median_hops(_WINDOW, _HOP)),
    )
    current = np.zeros((len(CUES), _WINDOW // 2 + 1), np.float32)
    past = _planes(sounds)
    cues, spectra = [], []
    for hop in range(1, _KEPT * _EVERY + 1):
        windowed = past[..., hop * _HOP : hop * _HOP + _WINDOW] * analysis
        mid, side = np.fft.rfft(windowed[0]).astype(np.complex64)
        measure_cues(mid, side, layout, memory, current)
        if hop % _EVERY == 0:
            cues.append(current[:, bins])
            spectra.append(np.fft.rfft(windowed)[..., bins].astype(np.complex64))
    return np.stack(cues, axis=1), np.stack(spectra, axis=2)


def _planes(sounds: Block) -> Block:
    """Turn left and right into mid and side, after one window of silence."""
    left, right = sounds[:, 0], sounds[:, 1]
    return np.pad(np.stack([left + right, left - right], axis=1) / 2, ((0, 0), (0, 0), (_WINDOW, 0)))
