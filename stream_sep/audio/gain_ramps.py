"""Gains of a block: mix snapshots, ramps and the limiter.

Compiled into the audio thread, like `stream_sep.audio.process_block`.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - Numba infers these types, and an annotation would claim a Python object

from __future__ import annotations

import numpy as np
from numba import carray

from stream_sep.audio.state import SNAPSHOT_HEAD, SNAPSHOTS
from stream_sep.lowlevel.numba_intrinsics import load_acquire, njit_inline, pointer_at

MAX_SAMPLE = 1e6
"""120 dB above full scale: anything above is not audio."""

_LIMITER_RECOVERY = 1 / 16384
"""Limiter release, in gain per frame: from silence to unity in about a third of a second."""


@njit_inline
def take_snapshot(state, start):
    """Set the target gains from the newest mix; gains that change start their ramp, the others continue theirs.

    A ramp begins with this block or, for a gain at rest, at the later frame that the snapshot names for it.

    Args:
        state: of the audio thread.
        start: first frame of the block.
    """
    local = carray(pointer_at(state.local), (SNAPSHOT_HEAD + 1,), np.int64)
    head = load_acquire(local, SNAPSHOT_HEAD)
    if head == state.snapshot_seen:
        return
    state.snapshot_seen = head
    rows = (1 + state.stems) * state.channels
    snapshot = carray(pointer_at(state.snapshots), (SNAPSHOTS, state.snapshot_size), np.float64)[head % SNAPSHOTS]
    start_gains, target_gains, ramp_begins, ramp_ends = _ramps(state, rows)
    state.bypass, state.limiter_on = np.int64(snapshot[3 * rows]), np.int64(snapshot[3 * rows + 1])
    for row in range(rows):
        aim = np.float32(snapshot[row])
        if aim != target_gains[row]:
            start_gains[row] = _gain_at(start_gains[row], target_gains[row], ramp_begins[row], ramp_ends[row], start)
            begin = np.int64(snapshot[2 * rows + row])
            ramp_begins[row] = max(begin, start) if ramp_ends[row] <= start else start
            ramp_ends[row] = ramp_begins[row] + max(np.int64(snapshot[rows + row]), 1)
            target_gains[row] = aim


@njit_inline
def _ramps(state, rows):
    return (
        carray(pointer_at(state.start_gains), (rows,), np.float32),
        carray(pointer_at(state.target_gains), (rows,), np.float32),
        carray(pointer_at(state.ramp_begins), (rows,), np.int64),
        carray(pointer_at(state.ramp_ends), (rows,), np.int64),
    )


@njit_inline
def _gain_at(begun, aim, begin, end, now):
    if now >= end:
        return aim
    return begun + (aim - begun) * np.float32(max(now - begin, 0)) / np.float32(end - begin)


@njit_inline
def follow_ramps(state, start, frames):
    """Compute every gain of this block; return 1 if the stems at these gains add up to the input, else 0.

    Args:
        state: of the audio thread.
        start: first frame of the block.
        frames: frames of the block.
    """
    rows = (1 + state.stems) * state.channels
    gains = carray(pointer_at(state.gains), (rows, state.max_block), np.float32)
    start_gains, target_gains, ramp_begins, ramp_ends = _ramps(state, rows)
    unity = state.stems_sum_to_mix
    for row in range(rows):
        begun, aim, begin, end = start_gains[row], target_gains[row], ramp_begins[row], ramp_ends[row]
        if start >= end or begin >= start + frames:
            still = aim if start >= end else begun
            unity = 0 if row >= state.channels and still != 1.0 else unity
            for frame in range(frames):
                gains[row, frame] = still
        else:
            unity = 0 if row >= state.channels else unity
            for frame in range(frames):
                gains[row, frame] = _gain_at(begun, aim, begin, end, start + frame + 1)
    return unity


@njit_inline
def bound(state, frames):
    """Keep every bus finite: NaN becomes silence, and samples are clamped to `MAX_SAMPLE`.

    Args:
        state: of the audio thread.
        frames: frames of the block.
    """
    rows = (1 + state.stems) * state.channels
    buses = carray(pointer_at(state.buses), (rows, state.max_block), np.float32)
    most = np.float32(MAX_SAMPLE)
    for row in range(rows):
        for frame in range(frames):
            sample = buses[row, frame]
            if not abs(sample) <= most:
                buses[row, frame] = most if sample > 0 else -most if sample < 0 else np.float32(0.0)


@njit_inline
def limit(state, frames):
    """Limit the main mix: immediate attack where it would exceed full scale, slow release.

    Args:
        state: of the audio thread.
        frames: frames of the block.
    """
    limiter = carray(pointer_at(state.limiter), (1,), np.float32)
    if state.limiter_on == 0 and limiter[0] == 1.0:
        return
    buses = carray(pointer_at(state.buses), (state.channels, state.max_block), np.float32)
    gain, recovery = limiter[0], np.float32(_LIMITER_RECOVERY)
    for frame in range(frames):
        peak = np.float32(0.0)
        for channel in range(state.channels):
            peak = max(peak, abs(buses[channel, frame]))
        gain = min(gain + recovery, np.float32(1.0))
        if state.limiter_on != 0 and peak * gain > 1.0:
            gain = np.float32(1.0) / peak
        for channel in range(state.channels):
            buses[channel, frame] *= gain
    limiter[0] = gain
