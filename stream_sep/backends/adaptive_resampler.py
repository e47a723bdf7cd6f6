"""Resampling between two devices whose clocks differ: a ring that is read slightly faster or slower.

Each device's blocks are timed by a delay-locked loop (F. Adriaensen, "Using a DLL to filter time", Linux Audio
Conference 2005), which estimates the rate and position of its clock. The step of the reader is the ratio of both
rates, corrected to hold the delay constant. Samples are interpolated with a windowed sinc (J. O. Smith, "The Digital
Audio Resampling Home Page").
"""

# ruff: noqa: ANN001, ANN201, ANN202 - Numba infers the types of what the audio threads run

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import carray

from stream_sep.lowlevel.numba_intrinsics import load_acquire, njit_inline, njit_reassoc, pointer_at, store_release

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAPS = 64
"""Length of the interpolation kernel in samples; half of them come after the new one."""
PHASES = 512
"""Positions of the sinc table between two samples; linear interpolation between them errs by -106 dB."""
CAPACITY = 1 << 15
FADE = 256
"""Frames of the fade around a gap."""

_CUTOFF, _KAISER = 0.95, 9.0  # passes 19.5 kHz at 44.1 kHz; side lobes 90 dB down
_SLOW_HZ, _QUICK_HZ = 0.05, 1.0  # bandwidth of the loops: in the end, and at first
_SETTLE_SECONDS = 10.0  # time constant that corrects the delay
_LOST_NS, _LOST_BLOCKS = 40e6, 4.0  # a block as far off as both restarts the loop
_WIDEST = 0.005  # limit of clock deviation
_MOMENTS, _HEAD, _WRITTEN = 8, 0, 8  # a cache line apart
_LEAVING = 2

_INTS = (
    "inputs", "reserve", "ring", "channel_map", "shared", "moments", "kernel", "written", "locked", "read",
    "rise", "starved", "overflows",
)  # fmt: skip
_FLOATS = (
    "nominal", "fraction", "step", "input_time", "input_period", "input_since", "output_time", "output_period",
    "output_since",
)  # fmt: skip
RESAMPLER = np.dtype([(name, np.int64) for name in _INTS] + [(name, np.float64) for name in _FLOATS])
"""The memory behind the input callback's one argument."""


class AdaptiveResampler:
    """Resamples two channels from the clock of the input device to that of the output device.

    Args:
        sample_rate: nominal sample rate of both devices.
        inputs: channels of the input device.
        input_map: for left and right, the input channel, counted from 0.
        reserve: latency in frames, to cover both devices' blocks and their jitter.
    """

    def __init__(self, sample_rate: int, inputs: int, input_map: tuple[int, int], reserve: int) -> None:
        self.reserve = reserve
        self._record = np.zeros(1, RESAMPLER)
        self._arrays: dict[str, NDArray[np.generic]] = {
            "ring": np.zeros((2, 2 * CAPACITY), np.float32),
            "channel_map": np.array(input_map, np.int64),
            "shared": np.zeros(16, np.int64),
            "moments": np.zeros((_MOMENTS, 3), np.float64),
            "kernel": sinc_table(),
        }
        for name, array in self._arrays.items():
            self._record[name] = array.ctypes.data
        self._record["inputs"], self._record["reserve"] = inputs, reserve
        self._record["nominal"] = 1e9 / sample_rate
        self.restart()

    @property
    def address(self) -> int:
        """Address of the record, for compiled code; valid as long as this object lives."""
        return self._record.ctypes.data

    @property
    def record(self) -> NDArray[np.void]:
        """The record itself, for tests."""
        return self._record

    def restart(self) -> None:
        """Reset both clocks and the ring; only while neither device runs."""
        self._arrays["shared"][:] = 0
        self._arrays["ring"][:] = 0
        self._record["written"] = self._record["locked"] = self._record["rise"] = 0
        self._record["step"] = 1.0
        for side in ("input", "output"):
            self._record[f"{side}_period"] = self._record["nominal"]
            self._record[f"{side}_since"] = -1.0


def sinc_table() -> NDArray[np.float32]:
    """Return the windowed sinc for each position between two samples, ``(PHASES + 1, TAPS)``; rows add up to 1."""
    places = np.arange(PHASES + 1)[:, None] / PHASES
    t = np.arange(TAPS)[None] - (TAPS // 2 - 1) - places
    window = np.i0(_KAISER * np.sqrt(np.maximum(1 - (2 * t / TAPS) ** 2, 0)))
    table = np.sinc(_CUTOFF * t) * window
    rows: NDArray[np.float32] = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


@njit_inline
def write_input(resampler, sound, frames, now):
    """Write a block of the input device, ``(frames, inputs)``, to the ring, and update its clock.

    Args:
        resampler: the resampler's record.
        sound: ``(frames, inputs)``.
        frames: frames of the block.
        now: monotonic clock in nanoseconds.
    """
    channel_map = carray(pointer_at(resampler.channel_map), (2,), np.int64)
    ring = carray(pointer_at(resampler.ring), (2, 2 * CAPACITY), np.float32)
    for channel in range(2):
        for frame in range(frames):
            at = (resampler.written + frame) % CAPACITY
            # twice, so that any section of it is contiguous
            ring[channel, at] = ring[channel, at + CAPACITY] = sound[frame, channel_map[channel]]
    resampler.written += frames
    resampler.input_time, resampler.input_period, resampler.input_since = _follow(
        resampler.nominal,
        resampler.input_time,
        resampler.input_period,
        resampler.input_since,
        np.float64(now),
        frames,
    )
    _publish_moment(resampler)


@njit_inline
def update_ratio(resampler, frames, now):
    """Update the resampling ratio for a block of the output device that begins at ``now``.

    Args:
        resampler: the resampler's record.
        frames: frames of the block.
        now: monotonic clock in nanoseconds.
    """
    resampler.output_time, resampler.output_period, resampler.output_since = _follow(
        resampler.nominal,
        resampler.output_time,
        resampler.output_period,
        resampler.output_since,
        np.float64(now),
        frames,
    )
    shared = carray(pointer_at(resampler.shared), (16,), np.int64)
    head = load_acquire(shared, _HEAD)
    if head == 0:
        return
    moments = carray(pointer_at(resampler.moments), (_MOMENTS, 3), np.float64)
    written, time, period = moments[head % _MOMENTS]
    reached = written + (resampler.output_time - time) / period
    distance = np.float64(resampler.reserve + frames)
    if resampler.locked == 0:
        place = np.floor(reached - distance)
        # the estimate runs on where a device has stalled: only written frames count
        if place < 0.0 or load_acquire(shared, _WRITTEN) < np.int64(place) + frames + TAPS:
            return
        resampler.read, resampler.fraction = np.int64(place), reached - distance - place
        resampler.locked, resampler.rise = 1, 0
    error = reached - distance - resampler.read - resampler.fraction
    if abs(error) > resampler.reserve:
        resampler.locked = _LEAVING  # a device stalled: a gap is better than a permanently higher latency
    pull = error * resampler.nominal / (_SETTLE_SECONDS * 1e9)
    resampler.step = resampler.output_period / period + min(max(pull, -_WIDEST), _WIDEST)


@njit_inline
def read_output(resampler, block, frames):
    """Fill ``block``, ``(2, frames)`` or longer, from the ring; silence, with a fade, where it is empty.

    Args:
        resampler: the resampler's record.
        block: ``(2, frames)`` or longer, which is written.
        frames: frames of the block.
    """
    shared = carray(pointer_at(resampler.shared), (16,), np.int64)
    written = load_acquire(shared, _WRITTEN)
    ready = _count_ready(resampler, written, frames) if resampler.locked else np.int64(0)
    ends = resampler.locked == _LEAVING or ready < frames
    for frame in range(ready):
        resampler.rise = min(resampler.rise + 1, FADE)
        gain = np.float32(resampler.rise) / np.float32(FADE)
        if ends:
            gain *= np.float32(ready - frame - 1) / np.float32(ready)
        _make_sample(resampler, block, frame, gain)
        forward = resampler.fraction + resampler.step
        resampler.read += np.int64(forward)
        resampler.fraction = forward - np.int64(forward)
    for channel in range(2):
        for frame in range(ready, frames):
            block[channel, frame] = 0.0
    if ends and resampler.locked:
        resampler.locked = 0
        resampler.starved += 1


@njit_inline
def _follow(nominal, time, period, since, now, frames):  # noqa: PLR0917 - either side's, and inlined
    """Return the filtered end time of a clock's block, its nanoseconds per frame, and the time since lock."""
    late = now - time - frames * period
    if since < 0.0 or abs(late) > max(_LOST_NS, _LOST_BLOCKS * frames * nominal):
        return now, period, 0.0
    bandwidth = min(max(1e9 / max(since, 1.0), _SLOW_HZ), _QUICK_HZ)
    weight = 2.0 * np.pi * bandwidth * frames * nominal * 1e-9
    steady = period + weight * weight * late / frames
    steady = min(max(steady, nominal * (1.0 - _WIDEST)), nominal * (1.0 + _WIDEST))
    return time + frames * period + np.sqrt(2.0) * weight * late, steady, since + frames * nominal


@njit_inline
def _publish_moment(resampler):
    shared = carray(pointer_at(resampler.shared), (16,), np.int64)
    head = shared[_HEAD] + 1
    moments = carray(pointer_at(resampler.moments), (_MOMENTS, 3), np.float64)
    moments[head % _MOMENTS, 0] = resampler.written
    moments[head % _MOMENTS, 1] = resampler.input_time
    moments[head % _MOMENTS, 2] = resampler.input_period
    store_release(shared, _WRITTEN, resampler.written)
    store_release(shared, _HEAD, head)


@njit_inline
def _count_ready(resampler, written, frames):
    """Return how many frames can be produced: none if the input may be overwritten while it is read."""
    if written - resampler.read > CAPACITY // 2:
        return np.int64(0)
    room = np.float64(written - TAPS // 2 - 1 - resampler.read) - resampler.fraction
    return min(max(np.int64(np.floor(room / resampler.step)) + 1, 0), frames) if room >= 0.0 else np.int64(0)


@njit_inline
def _make_sample(resampler, block, frame, gain):
    kernel = carray(pointer_at(resampler.kernel), (PHASES + 1, TAPS), np.float32)
    ring = carray(pointer_at(resampler.ring), (2, 2 * CAPACITY), np.float32)
    place = resampler.fraction * PHASES
    row = np.int64(place)
    share = np.float32(place - row)
    first = (resampler.read - TAPS // 2 + 1) % CAPACITY
    for channel in range(2):
        sound = ring[channel, first : first + TAPS]
        block[channel, frame] = gain * _blend(kernel[row], kernel[row + 1], share, sound)


@njit_reassoc
def _blend(low, high, share, sound):
    total = np.float32(0.0)
    for tap in range(TAPS):
        total += (low[tap] + share * (high[tap] - low[tap])) * sound[tap]
    return total
