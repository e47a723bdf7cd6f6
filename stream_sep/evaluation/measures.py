"""Measures of an estimated stem against its reference, all in dB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import soxr

from stream_sep.evaluation.sdr import usdr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

MEASURES = ("uSDR", "SI-SDR", "low", "attack", "bleed", "leak", "first minute", "last minute", "SDR v4")
"""The measures, all in dB.

``low`` is the uSDR below 250 Hz; ``attack`` that of the first 50 ms of notes; ``bleed`` the level of the estimate,
against the mix, in the pauses of its stem, and ``leak`` that of an absent stem, so the lower the better; ``SDR v4``
is museval's: the median over seconds, which is slow and only computed on request.
"""

_LOW_RATE = 500
_ABSENT = 1e-9
_LONG_SECONDS = 180
_PAUSE_SECONDS, _PAUSE_POWER = 0.25, 1e-7  # -70 dBFS
_STEP_SECONDS, _ATTACK_STEPS, _BEFORE_STEPS = 0.005, 10, 10
_RISE, _ONSET_POWER = 10.0, 1e-5  # 10 dB, -50 dBFS


def measure_stem(reference: Block, estimate: Block, mix: Block, rate: int) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure that applies.

    Args:
        reference: the stem, ``(channels, frames)``.
        estimate: of the same shape.
        mix: of the same shape.
        rate: frames per second.
    """
    if float(np.square(reference, dtype=np.float64).mean()) < _ABSENT:
        yield "leak", level_against(estimate, mix)
        return
    yield "uSDR", usdr(reference, estimate)
    yield "SI-SDR", si_sdr(reference, estimate)
    low = [soxr.resample(sound.T, rate, _LOW_RATE).T for sound in (reference, estimate)]
    if float(np.square(low[0]).mean()) > _ABSENT:
        yield "low", usdr(*low)
    if (frames := attacks(reference, rate)).any():
        yield "attack", usdr(_frames_of(reference, frames), _frames_of(estimate, frames))
    if (frames := pauses(reference, mix, rate)).any():
        yield "bleed", level_against(_frames_of(estimate, frames), _frames_of(mix, frames))
    if reference.shape[1] >= _LONG_SECONDS * rate:
        minute = 60 * rate
        yield "first minute", usdr(reference[:, :minute], estimate[:, :minute])
        yield "last minute", usdr(reference[:, -minute:], estimate[:, -minute:])


def si_sdr(reference: Block, estimate: Block) -> float:
    """Return the scale-invariant SDR in dB (Le Roux et al. 2019), over both channels.

    Args:
        reference: ``(channels, frames)``.
        estimate: ``(channels, frames)``.

    >>> noise = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    >>> si_sdr(noise, 3 * noise) > 60
    True
    """
    truth, found = reference.astype(np.float64).ravel(), estimate.astype(np.float64).ravel()
    scaled = truth * (truth @ found / (truth @ truth + 1e-12))
    error = found - scaled
    return 10 * math.log10((scaled @ scaled + 1e-12) / (error @ error + 1e-12))


def level_against(sound: Block, mix: Block) -> float:
    """Return the level of a sound against a mix, in dB.

    Args:
        sound: ``(channels, frames)``.
        mix: of the same shape.

    >>> mix = np.ones((2, 100), np.float32)
    >>> round(level_against(mix / 100, mix))
    -40
    """
    energy, mixed = (float(np.square(each, dtype=np.float64).sum()) for each in (sound, mix))
    return 10 * math.log10((energy + 1e-12) / (mixed + 1e-12))


def pauses(reference: Block, mix: Block, rate: int) -> NDArray[np.bool_]:
    """Return which frames belong to quarter seconds in which a stem pauses while the mix continues.

    Args:
        reference: the stem, ``(channels, frames)``.
        mix: of the same shape.
        rate: frames per second.
    """
    length = round(_PAUSE_SECONDS * rate)
    silent, mixed = (_power(sound, length) < _PAUSE_POWER for sound in (reference, mix))
    return np.repeat(silent & ~mixed, length)


def attacks(reference: Block, rate: int) -> NDArray[np.bool_]:
    """Return which frames are among the 50 ms that begin where the power of a stem rises by 10 dB.

    Args:
        reference: the stem, ``(channels, frames)``.
        rate: frames per second.
    """
    length = round(_STEP_SECONDS * rate)
    power = _power(reference, length)
    before = np.convolve(power, np.full(_BEFORE_STEPS, 1 / _BEFORE_STEPS))[
        : len(power)
    ]  # means that end at each step
    rises = np.zeros(len(power), np.bool_)
    rises[1:] = (power[1:] > _RISE * before[:-1]) & (power[1:] > _ONSET_POWER)
    during = np.convolve(rises, np.ones(_ATTACK_STEPS))[: len(power)] > 0
    return np.repeat(during, length)


def _frames_of(sound: Block, frames: NDArray[np.bool_]) -> Block:
    """Return the chosen frames of a sound, which may be longer by part of a run."""
    return sound[:, : len(frames)][:, frames]


def _power(sound: Block, length: int) -> NDArray[np.float64]:
    """Return the mean power of each whole run of ``length`` frames."""
    count = sound.shape[1] // length
    squares = np.square(sound[:, : count * length], dtype=np.float64)
    return np.asarray(squares.reshape(len(sound), count, length).mean(axis=(0, 2)), np.float64)
