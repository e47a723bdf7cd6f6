"""A residual branch of Demucs (`demucs.demucs.DConv`), compiled: sound after sound in the processor's cache."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import exponential, gelu

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Row: TypeAlias = NDArray[np.float32]
    Rows: TypeAlias = NDArray[np.float32]

UNROLL = 4
"""Channels that are added up at once; a branch has a multiple of so many."""

_STRETCH = 4096  # numbers whose sum float32 holds well enough
_ONE = np.float32(1.0)


class DConvWeights(NamedTuple):
    """The weights of a residual branch, in float32.

    Shape:
        conv1: ``(hidden, channels, 3)`` of the convolution; its ``bias``, and ``gain`` and ``offset`` of the norm
            after it, are ``(hidden,)``
        conv2: ``(2 * channels, hidden)`` of the second convolution; ``conv2_bias``, ``conv2_gain`` and
            ``conv2_offset``, of the same, are ``(2 * channels,)``
        scale: ``(channels,)``, of what is added to the sound
    """

    conv1: NDArray[np.float32]
    bias: Row
    gain: Row
    offset: Row
    conv2: Rows
    conv2_bias: Row
    conv2_gain: Row
    conv2_offset: Row
    scale: Row
    dilation: int
    epsilon: float


@njit_cached
def add_dconv(sounds: NDArray[np.float32], branch: DConvWeights) -> None:
    """Add to every sound, ``(sounds, channels, frames)``, what the branch makes of it.

    A sound has more frames than twice the dilation. The second norm costs nothing: mean and variance of what is
    normalised follow from those of the few hidden rows, and go into the weights.

    Args:
        sounds: float32 ``(sounds, channels, frames)``, which is added to.
        branch: the branch's weights.
    """
    channels, frames = sounds.shape[1:]
    hidden = np.empty((len(branch.bias), frames), np.float32)
    spread = np.empty_like(branch.conv2)
    offset = np.empty_like(branch.conv2_offset)
    value, gate = np.empty(frames, np.float32), np.empty(frames, np.float32)
    for number in range(len(sounds)):  # an iterator would hide that rows are contiguous
        sound = sounds[number]
        _conv_norm_gelu(sound, branch, hidden)
        _normalise_spread(hidden, branch, spread, offset)
        for channel in range(channels):
            value[:] = offset[channel]
            gate[:] = offset[channels + channel]
            _add_rows(value, hidden, spread[channel])
            _add_rows(gate, hidden, spread[channels + channel])
            _add_gated(sound[channel], value, gate, branch.scale[channel])


@njit_fastmath
def _conv_norm_gelu(sound: Rows, branch: DConvWeights, hidden: Rows) -> None:
    """Fill the hidden rows: convolution, norm, GELU."""
    for k in range(len(hidden)):
        hidden[k, :] = branch.bias[k]
        for channel in range(0, len(sound), UNROLL):
            rows = sound[channel : channel + UNROLL]
            _add_taps(hidden[k], rows, branch.conv1[k, channel : channel + UNROLL], branch.dilation)
    total = power = 0.0
    for k in range(len(hidden)):
        total += _sum(hidden[k])
    mean = np.float32(total / hidden.size)
    for k in range(len(hidden)):
        _scale(hidden[k], _ONE, -mean)
        power += _dot(hidden[k], hidden[k])
    gain = np.float32(1 / math.sqrt(power / hidden.size + branch.epsilon))
    for k in range(len(hidden)):
        _scale(hidden[k], gain * branch.gain[k], branch.offset[k])
        gelu(hidden[k])


@njit_fastmath
def _add_taps(out: Row, sound: Rows, taps: Rows, far: int) -> None:
    """Add four rows of a sound, each before, at and after a frame; nothing lies beyond its ends."""
    count = len(out) - 2 * far
    middle = out[far : far + count]
    a, b, c, d = sound[0], sound[1], sound[2], sound[3]
    a0, a1, a2 = a[:count], a[far : far + count], a[2 * far :]
    b0, b1, b2 = b[:count], b[far : far + count], b[2 * far :]
    c0, c1, c2 = c[:count], c[far : far + count], c[2 * far :]
    d0, d1, d2 = d[:count], d[far : far + count], d[2 * far :]
    wa, wb, wc = taps[0, 0], taps[0, 1], taps[0, 2]  # read once: what is written might be what they are read from
    wd, we, wf = taps[1, 0], taps[1, 1], taps[1, 2]
    wg, wh, wi = taps[2, 0], taps[2, 1], taps[2, 2]
    wj, wk, wl = taps[3, 0], taps[3, 1], taps[3, 2]
    for t in range(count):
        one = wa * a0[t] + wb * a1[t] + wc * a2[t] + wd * b0[t] + we * b1[t] + wf * b2[t]
        two = wg * c0[t] + wh * c1[t] + wi * c2[t] + wj * d0[t] + wk * d1[t] + wl * d2[t]
        middle[t] += one + two
    for row in range(UNROLL):
        for t in range(far):
            out[t] += taps[row, 1] * sound[row, t] + taps[row, 2] * sound[row, t + far]
            end = len(out) - 1 - t
            out[end] += taps[row, 0] * sound[row, end - far] + taps[row, 1] * sound[row, end]


@njit_fastmath
def _normalise_spread(hidden: Rows, branch: DConvWeights, spread: Rows, offset: Row) -> None:
    """Fill weights and offsets that spread the hidden rows and normalise the result, as a group norm of one group."""
    count, wide = len(hidden), len(offset)
    means, shared = np.empty(count), np.empty((count, count))
    for k in range(count):
        means[k] = _sum(hidden[k]) / hidden.shape[1]
    for k in range(count):
        for other in range(k + 1):
            both = _dot(hidden[k], hidden[other]) / hidden.shape[1] - means[k] * means[other]
            shared[k, other] = shared[other, k] = both
    mean = power = within = 0.0
    for channel in range(wide):
        weights = branch.conv2[channel]
        level = float(branch.conv2_bias[channel])
        for k in range(count):
            level += weights[k] * means[k]
            for other in range(count):
                within += weights[k] * shared[k, other] * weights[other]
        mean += level / wide
        power += level * level / wide
    scale = 1 / math.sqrt(max(power - mean * mean, 0.0) + within / wide + branch.epsilon)
    for channel in range(wide):
        gain = np.float32(scale) * branch.conv2_gain[channel]
        for k in range(count):
            spread[channel, k] = branch.conv2[channel, k] * gain
        offset[channel] = (branch.conv2_bias[channel] - np.float32(mean)) * gain + branch.conv2_offset[channel]


@njit_fastmath
def _add_rows(out: Row, rows: Rows, weights: Row) -> None:
    at = 0
    while at + 4 <= len(weights):
        a, b, c, d = rows[at], rows[at + 1], rows[at + 2], rows[at + 3]
        wa, wb, wc, wd = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
        for t in range(len(out)):
            out[t] += wa * a[t] + wb * b[t] + wc * c[t] + wd * d[t]
        at += 4
    while at < len(weights):
        a, wa = rows[at], weights[at]
        for t in range(len(out)):
            out[t] += wa * a[t]
        at += 1


@njit_fastmath
def _add_gated(sound: Row, value: Row, gate: Row, scale: np.float32) -> None:
    for t in range(len(sound)):
        sound[t] += scale * value[t] / (_ONE + exponential(-gate[t]))


@njit_fastmath
def _sum(row: Row) -> float:
    total = 0.0
    for start in range(0, len(row), _STRETCH):
        part = np.float32(0.0)
        for value in row[start : start + _STRETCH]:
            part += value
        total += float(part)
    return total


@njit_fastmath
def _dot(row: Row, other: Row) -> float:
    total = 0.0
    for start in range(0, len(row), _STRETCH):
        a, b = row[start : start + _STRETCH], other[start : start + _STRETCH]
        part = np.float32(0.0)
        for t in range(len(a)):
            part += a[t] * b[t]
        total += float(part)
    return total


@njit_fastmath
def _scale(row: Row, gain: np.float32, offset: np.float32) -> None:
    for t in range(len(row)):
        row[t] = row[t] * gain + offset
