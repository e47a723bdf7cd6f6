"""JACK callbacks besides the process callback: compiled, so that the server never waits for the GIL."""

# ruff: noqa: ANN001, ANN202 - Numba infers these types, and an annotation would claim a Python object

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray, types

from stream_sep.lowlevel.numba_intrinsics import c_function, call_c, pointer_at

CAPTURE, PLAYBACK = 0, 1  # jack_latency_callback_mode_t
LATENCIES = np.dtype(
    [(name, np.int64) for name in ("ins", "in_count", "outs", "out_count", "frames", "get", "set", "span")]
)
"""User data of the latency callback: ports and their counts, latency in frames, JACK's functions, a range buffer."""

_XRUN = types.int32(types.voidptr)
_LATENCY = types.void(types.int32, types.voidptr)


@cache
def xrun_callback() -> Any:  # noqa: ANN401 - Numba's CFunc
    """Compile, or load from disk, the `JackXRunCallback`; its argument is the address of an int64 that counts."""
    return c_function(_XRUN, _on_xrun)


@cache
def latency_callback() -> Any:  # noqa: ANN401 - Numba's CFunc
    """Compile, or load from disk, the `JackLatencyCallback`; its argument is the address of a `LATENCIES`."""
    return c_function(_LATENCY, _on_latency)


def _on_xrun(userdata):
    carray(userdata, (1,), np.int64)[0] += 1
    return np.int32(0)


def _on_latency(mode, userdata):
    record = carray(userdata, (1,), LATENCIES)[0]
    sources, targets = (record.ins, record.outs) if mode == CAPTURE else (record.outs, record.ins)
    counts = (record.in_count, record.out_count) if mode == CAPTURE else (record.out_count, record.in_count)
    span = carray(pointer_at(record.span), (2,), np.uint32)
    shortest, longest = np.int64(0), np.int64(0)
    for index in range(counts[0]):
        call_c(record.get, (carray(pointer_at(sources), (counts[0],), np.int64)[index], mode, record.span))
        shortest = min(shortest, np.int64(span[0])) if index else np.int64(span[0])
        longest = max(longest, np.int64(span[1]))
    span[0], span[1] = shortest + record.frames, longest + record.frames
    for index in range(counts[1]):
        call_c(record.set, (carray(pointer_at(targets), (counts[1],), np.int64)[index], mode, record.span))
