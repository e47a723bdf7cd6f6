"""The processing of a block on the audio thread: capture it, find its stems, mix them, meter, record.

One compiled path serves the sound card, JACK, the paced and the offline backend. It takes no lock, allocates
nothing and calls no function but its own and the clock.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - Numba infers these types, and an annotation would claim a Python object

from __future__ import annotations

import numpy as np
from numba import carray

from stream_sep.audio.gain_ramps import MAX_SAMPLE, bound, follow_ramps, limit, take_snapshot
from stream_sep.audio.ring_layout import CAPTURED, EMPTY, MIXED
from stream_sep.audio.rings import write_frames
from stream_sep.audio.state import (
    DRY,
    FADE,
    RECORD_HEAD,
    RECORD_TAIL,
    TIME_BIN_NS,
    TIME_BINS,
)
from stream_sep.lowlevel.numba_intrinsics import load_acquire, monotonic_ns, njit_inline, pointer_at, store_release

_METER_FALL = 0.9997
"""Decay of a meter per frame: about 115 dB per second at 44.1 kHz."""


@njit_inline
def process_block(state, frames):
    """Process the frames in ``state.input`` into the buses; ``frames`` is at most ``state.max_block``.

    Args:
        state: of the audio thread.
        frames: frames of the block.
    """
    positions = carray(pointer_at(state.positions), (MIXED + 1,), np.int64)
    start = positions[CAPTURED]
    if state.prerendered == 0:
        _capture(state, positions, frames)
        _read_dry(state, start - state.delay - state.extra_delay, start + frames, frames)
    else:
        _read_dry(state, start, load_acquire(positions, MIXED), frames)
        store_release(positions, CAPTURED, start + frames)
    take_snapshot(state, start)
    unity = follow_ramps(state, start, frames)
    _update_unity_frame(state, frames)
    _resolve_stem_frames(state, start - state.prefill - state.extra_delay, frames, unity)
    _mix(state, frames, unity)
    bound(state, frames)
    limit(state, frames)
    _meter(state, frames)
    if state.recording_on:
        _record(state, frames)
    state.blocks += 1
    state.frames += frames


@njit_inline
def start_clock(state, started):
    """Record the first frame of the callback that began at clock ``started``.

    Args:
        state: of the audio thread.
        started: monotonic clock in nanoseconds.
    """
    state.clock_frame = carray(pointer_at(state.positions), (CAPTURED + 1,), np.int64)[CAPTURED]
    state.clock_ns = started


@njit_inline
def time_block(state, started):
    """Add the duration of the callback that began at clock ``started`` to the histogram.

    Args:
        state: of the audio thread.
        started: monotonic clock in nanoseconds.
    """
    took = monotonic_ns() - started
    histogram = carray(pointer_at(state.histogram), (TIME_BINS,), np.int64)
    histogram[min(took // TIME_BIN_NS, TIME_BINS - 1)] += 1
    state.max_ns = max(state.max_ns, took)


@njit_inline
def _capture(state, positions, frames):
    block = carray(pointer_at(state.input), (state.channels, state.max_block), np.float32)
    if state.source != 0:
        _play_source(state, block, positions[CAPTURED], frames)
    for channel in range(state.channels):
        for frame in range(frames):
            if not abs(block[channel, frame]) <= MAX_SAMPLE:  # true for NaN as well
                block[channel, frame] = 0.0  # a broken driver must not break the separator
                state.bad_input += 1
    write_frames(_captured(state), positions, block, frames)


@njit_inline
def _play_source(state, block, start, frames):
    source = carray(pointer_at(state.source), (state.channels, state.source_frames), np.float32)
    for channel in range(state.channels):
        for frame in range(frames):
            at = start + frame
            block[channel, frame] = source[channel, at] if at < state.source_frames else 0.0
    state.source_end = 1 if start + frames >= state.source_frames + state.delay else 0


@njit_inline
def _captured(state):
    return carray(pointer_at(state.capture), (state.channels, state.capacity), np.float32)


@njit_inline
def _read_dry(state, first, end, frames):
    capture = _captured(state)
    dry = carray(pointer_at(state.dry), (state.channels, state.max_block), np.float32)
    for channel in range(state.channels):
        for frame in range(frames):
            at = first + frame
            dry[channel, frame] = capture[channel, at % state.capacity] if 0 <= at < end else 0.0


@njit_inline
def _resolve_stem_frames(state, first, frames, unity):
    """Set, for each frame, the offset of its stems and their weight: one, zero, or within a crossfade between.

    Where stems are missing, the last ones are read backwards during the fade, so that there is a signal to fade from.
    """
    tags = carray(pointer_at(state.tags), (state.slots,), np.int64)
    weights = carray(pointer_at(state.weights), (state.max_block,), np.float32)
    dry_weights = carray(pointer_at(state.dry_weights), (state.max_block,), np.float32)
    offsets = carray(pointer_at(state.offsets), (state.max_block,), np.int64)
    checked, ready = np.int64(-1), True
    for frame in range(frames):
        at = first + frame
        number = at // state.hop
        if at >= 0 and number != checked:
            checked, ready = number, _is_ready(state, tags, number)
        there = ready and (state.searching == 0 or state.wet == 0)  # a fade that has begun runs to its end
        if there:
            state.searching = 0
            state.hold_left = max(state.hold_left - 1, 0)
        else:
            if state.searching == 0:
                state.searching, state.edge = 1, at
            state.hold_left = state.hold
        audible = there and state.hold_left == 0 and state.bypass == 0
        _follow_dry_level(state, audible, unity)
        state.wet = min(state.wet + 1, state.fade) if audible else max(state.wet - 1, 0)
        state.dry_frames += 0 if audible else 1
        if state.wet == 0 and state.dry_level == state.dry_fade:
            state.unity_from = min(state.unity_from, frame)
        wet = np.float32(state.wet) / np.float32(state.fade)
        weights[frame] = wet
        dry_weights[frame] = (np.float32(1.0) - wet) * (np.float32(state.dry_level) / np.float32(state.dry_fade))
        offsets[frame] = _stem_offset(state, at if there else 2 * state.edge - 1 - at)


@njit_inline
def _follow_dry_level(state, audible, unity):
    """Advance the level of the dry sound by a frame: towards full, or towards zero where missing stems are muted.

    With the faders at unity, as in a bypass, the dry sound plays. Under stems at full level it is inaudible, and
    jumps to its target at once.
    """
    if state.on_failure == DRY:
        return
    plays = state.bypass != 0 or unity != 0 or state.unity != 0
    if state.wet == state.fade:
        state.dry_level = state.dry_fade if plays or state.on_failure == FADE else 0
    elif plays:
        state.dry_level = min(state.dry_level + (state.dry_fade + state.fade - 1) // state.fade, state.dry_fade)
    elif not audible:
        state.dry_level = max(state.dry_level - 1, 0)


@njit_inline
def _is_ready(state, tags, number):
    tag = load_acquire(tags, number % state.slots)
    if tag != number and number > state.last_missed:
        state.last_missed = number
        state.late_hops += 0 if tag == EMPTY - 1 - number else 1
    return tag == number


@njit_inline
def _stem_offset(state, at):
    if at < 0:
        return np.int64(-1)
    number = at // state.hop
    return (number % state.slots) * (state.stems * state.channels * state.hop) + at - number * state.hop


@njit_inline
def _update_unity_frame(state, frames):
    """Set the frame from which a change to or from unity applies: at once, except in a gap that still fades to dry.

    Stems that are read backwards do not add up to the dry sound, so that one cannot replace the other there; nor
    do stems and an attenuated dry sound.
    """
    add_up = state.searching == 0 and (state.dry_level == state.dry_fade or state.wet == state.fade)
    alone = state.wet == 0 and state.dry_level == state.dry_fade
    state.unity_from = 0 if add_up or alone else frames


@njit_inline
def _mix(state, frames, unity):
    rows = (1 + state.stems) * state.channels
    buses = carray(pointer_at(state.buses), (rows, state.max_block), np.float32)
    gains = carray(pointer_at(state.gains), (rows, state.max_block), np.float32)
    dry = carray(pointer_at(state.dry), (state.channels, state.max_block), np.float32)
    dry_weights = carray(pointer_at(state.dry_weights), (state.max_block,), np.float32)
    for channel in range(state.channels):
        for frame in range(frames):
            buses[channel, frame] = 0.0
    for stem in range(state.stems):
        for channel in range(state.channels):
            _mix_stem(state, buses, stem, channel, frames)
    for channel in range(state.channels):
        for frame in range(frames):
            main = dry[channel, frame]
            plain = unity if frame >= state.unity_from else state.unity
            if plain == 0 and dry_weights[frame] < 1.0:  # else the delayed input itself, bit for bit
                main = buses[channel, frame] + dry_weights[frame] * main
            buses[channel, frame] = main * gains[channel, frame]
    if state.unity_from < frames:
        state.unity = unity


@njit_inline
def _mix_stem(state, buses, stem, channel, frames):
    """Write one channel of one stem to its bus and to the main mix; the carrier plays dry for missing stems."""
    weights = carray(pointer_at(state.weights), (state.max_block,), np.float32)
    dry_weights = carray(pointer_at(state.dry_weights), (state.max_block,), np.float32)
    offsets = carray(pointer_at(state.offsets), (state.max_block,), np.int64)
    dry = carray(pointer_at(state.dry), (state.channels, state.max_block), np.float32)
    sound = carray(pointer_at(state.hops), (state.slots * state.stems * state.channels * state.hop,), np.float32)
    shift = (stem * state.channels + channel) * state.hop
    row = state.channels * (1 + stem) + channel
    gains = carray(pointer_at(state.gains), (row + 1, state.max_block), np.float32)
    dry_share = np.float32(1.0 if stem == state.carrier else 0.0)
    for frame in range(frames):
        at = offsets[frame]
        wet = weights[frame]
        value = sound[at + shift] if at >= 0 and wet > 0.0 else np.float32(0.0)
        value *= wet * gains[row, frame]
        buses[channel, frame] += value
        buses[row, frame] = value + dry_share * dry_weights[frame] * dry[channel, frame]


@njit_inline
def _meter(state, frames):
    rows = (1 + state.stems) * state.channels
    buses = carray(pointer_at(state.buses), (rows, state.max_block), np.float32)
    block = carray(pointer_at(state.input), (state.channels, state.max_block), np.float32)
    meters = carray(pointer_at(state.meters), (rows + state.channels,), np.float32)
    fall = np.float32(_METER_FALL) ** np.float32(frames)
    for row in range(rows):
        meters[row] = max(_peak(buses[row], frames), meters[row] * fall)
    for channel in range(state.channels):
        meters[rows + channel] = max(_peak(block[channel], frames), meters[rows + channel] * fall)
        if meters[channel] > 1.0 and _peak(buses[channel], frames) > 1.0:
            state.clipped += 1


@njit_inline
def _peak(samples, frames):
    peak = np.float32(0.0)
    for frame in range(frames):
        peak = max(peak, abs(samples[frame]))
    return peak


@njit_inline
def _record(state, frames):
    rows = (1 + state.stems) * state.channels
    local = carray(pointer_at(state.local), (RECORD_TAIL + 1,), np.int64)
    head = local[RECORD_HEAD]
    if head + frames - load_acquire(local, RECORD_TAIL) > state.record_capacity:
        state.record_dropped += frames
        return
    buses = carray(pointer_at(state.buses), (rows, state.max_block), np.float32)
    recording = carray(pointer_at(state.recording), (state.record_capacity, rows), np.float32)
    for frame in range(frames):
        at = (head + frame) % state.record_capacity
        for row in range(rows):
            recording[at, row] = buses[row, frame]
    store_release(local, RECORD_HEAD, head + frames)
