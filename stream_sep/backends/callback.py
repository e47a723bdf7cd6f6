"""The audio callbacks of PortAudio and JACK, as C function pointers that never take the GIL."""

# ruff: noqa: ANN001, ANN202 - Numba infers these types, and an annotation would claim a Python object

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray, types

from stream_sep.audio.process_block import process_block, start_clock, time_block
from stream_sep.audio.state import RECORD
from stream_sep.backends.adaptive_resampler import RESAMPLER, read_output, update_ratio, write_input
from stream_sep.lowlevel.numba_intrinsics import c_function, call_with_frames, monotonic_ns, njit_inline, pointer_at

_INPUT_UNDERFLOW, _INPUT_OVERFLOW, _OUTPUT_UNDERFLOW, _OUTPUT_OVERFLOW = 1, 2, 4, 8  # PortAudio's status bits

_PORTAUDIO = types.int32(
    types.voidptr, types.voidptr, types.uintp, types.voidptr, types.uintp, types.voidptr
)  # PaStreamCallback; unsigned long is 32 bits wide on Windows, where it travels in a 64-bit register all the same
_JACK = types.int32(types.uint32, types.voidptr)


@cache
def portaudio_callback() -> Any:  # noqa: ANN401 - Numba's CFunc
    """Compile, or load from disk, the `PaStreamCallback`; its user data is `AudioState.address`."""
    return c_function(_PORTAUDIO, _on_portaudio)


@cache
def capture_callback() -> Any:  # noqa: ANN401 - as above
    """Compile, or load from disk, the callback of an input-only stream; user data: `AdaptiveResampler.address`."""
    return c_function(_PORTAUDIO, _on_capture)


@cache
def jack_callback() -> Any:  # noqa: ANN401 - Numba's CFunc
    """Compile, or load from disk, the `JackProcessCallback`; its argument is `AudioState.address`."""
    return c_function(_JACK, _on_jack)


def _on_portaudio(indata, outdata, frames, _time, flags, userdata):
    started = monotonic_ns()
    state = carray(userdata, (1,), RECORD)[0]
    start_clock(state, started)
    total = np.int64(frames) & 0xFFFFFFFF
    _count_flags(state, np.int64(flags))
    if state.resampler != 0:
        update_ratio(_resampler(state), total, started)
    done = np.int64(0)
    while done < total:
        part = min(total - done, state.max_block)
        if state.resampler != 0:
            _read_resampler(state, part)
        elif state.source == 0 and state.prerendered == 0:
            _deinterleave(state, carray(indata, (total, state.inputs), np.float32), done, part)
        process_block(state, part)
        _interleave(state, carray(outdata, (total, state.outputs), np.float32), done, part)
        done += part
    time_block(state, started)
    return np.int32(0)


def _on_jack(frames, userdata):
    started = monotonic_ns()
    state = carray(userdata, (1,), RECORD)[0]
    start_clock(state, started)
    total = np.int64(frames)
    done = np.int64(0)
    while done < total:
        part = min(total - done, state.max_block)
        if state.source == 0 and state.prerendered == 0:
            _from_ports(state, total, done, part)
        process_block(state, part)
        _to_ports(state, total, done, part)
        done += part
    time_block(state, started)
    return np.int32(0)


def _on_capture(indata, _outdata, frames, _time, flags, userdata):
    resampler = carray(userdata, (1,), RESAMPLER)[0]
    total = np.int64(frames) & 0xFFFFFFFF
    resampler.overflows += 1 if np.int64(flags) & _INPUT_OVERFLOW else 0
    write_input(resampler, carray(indata, (total, resampler.inputs), np.float32), total, monotonic_ns())
    return np.int32(0)


@njit_inline
def _count_flags(state, flags):
    state.input_underflows += 1 if flags & _INPUT_UNDERFLOW else 0
    state.input_overflows += 1 if flags & _INPUT_OVERFLOW else 0
    state.output_underflows += 1 if flags & _OUTPUT_UNDERFLOW else 0
    state.output_overflows += 1 if flags & _OUTPUT_OVERFLOW else 0


@njit_inline
def _resampler(state):
    return carray(pointer_at(state.resampler), (1,), RESAMPLER)[0]


@njit_inline
def _read_resampler(state, part):
    resampler = _resampler(state)
    read_output(resampler, carray(pointer_at(state.input), (state.channels, state.max_block), np.float32), part)
    state.input_underflows, state.input_overflows = resampler.starved, resampler.overflows


@njit_inline
def _deinterleave(state, indata, done, part):
    block = carray(pointer_at(state.input), (state.channels, state.max_block), np.float32)
    channel_map = carray(pointer_at(state.input_map), (state.channels,), np.int64)
    for channel in range(state.channels):
        for frame in range(part):
            block[channel, frame] = indata[done + frame, channel_map[channel]]


@njit_inline
def _interleave(state, outdata, done, part):
    buses = carray(pointer_at(state.buses), ((1 + state.stems) * state.channels, state.max_block), np.float32)
    channel_map = carray(pointer_at(state.output_map), (state.outputs,), np.int64)
    for frame in range(part):
        for channel in range(state.outputs):
            row = channel_map[channel]
            outdata[done + frame, channel] = buses[row, frame] if row >= 0 else np.float32(0.0)


@njit_inline
def _port(state, ports, index, total):
    handle = carray(pointer_at(ports), (index + 1,), np.int64)[index]
    return carray(pointer_at(call_with_frames(state.port_buffer, handle, total)), (total,), np.float32)


@njit_inline
def _from_ports(state, total, done, part):
    block = carray(pointer_at(state.input), (state.channels, state.max_block), np.float32)
    channel_map = carray(pointer_at(state.input_map), (state.channels,), np.int64)
    for channel in range(state.channels):
        sound = _port(state, state.input_ports, channel_map[channel], total)
        for frame in range(part):
            block[channel, frame] = sound[done + frame]


@njit_inline
def _to_ports(state, total, done, part):
    buses = carray(pointer_at(state.buses), ((1 + state.stems) * state.channels, state.max_block), np.float32)
    channel_map = carray(pointer_at(state.output_map), (state.outputs,), np.int64)
    for index in range(state.outputs):
        sound = _port(state, state.output_ports, index, total)
        row = channel_map[index]
        for frame in range(part):
            sound[done + frame] = buses[row, frame] if row >= 0 else np.float32(0.0)
