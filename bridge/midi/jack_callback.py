"""What runs in every cycle of a JACK server for our MIDI ports: compiled, so that the server never waits for the GIL.

Messages pass through two rings of memory, each with one writer and one reader: the server's thread and ours.
"""

# ruff: noqa: ANN001, ANN202 - Numba infers these types, and an annotation would claim a Python object

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray, types

from stream_sep.lowlevel.numba_intrinsics import (
    c_function,
    call_c,
    call_with_frames,
    load_acquire,
    njit_cached,
    njit_inline,
    pointer_at,
    store_release,
)

SLOTS = 4096
"""Messages that a ring holds: what a device sends while Python is busy, or is sent to it at once."""

LONGEST = 512
"""Bytes of a message; longer ones, such as dumps of a synthesizer's sounds, are left out."""

FUNCTIONS = ("jack_port_get_buffer", "jack_midi_get_event_count", "jack_midi_event_get", "jack_midi_clear_buffer",
             "jack_midi_event_write")  # fmt: skip
RECEIVED, TAKEN, GIVEN, SENT, LOST = 0, 8, 16, 24, 32  # positions, a cache line apart
POSITIONS = 40

_PLACES = ("in_port", "out_port", "event", "in_bytes", "in_lengths", "out_bytes", "out_lengths", "positions", "lamp")
RECORD = np.dtype([(name, np.int64) for name in (*_PLACES, *FUNCTIONS, "write", "bell")])
"""Ports, memory and functions by their addresses; ``bell`` is the file that gets a byte when something came."""

_JACK = types.int32(types.uint32, types.voidptr)
_CLOCK, _SENSING = 0xF8, 0xFE  # what devices say without being touched
_HALF = 0xFFFFFFFF  # what a C function that returns 32 bits leaves above them is not its answer


@cache
def midi_callback() -> Any:  # noqa: ANN401 - Numba's CFunc
    """Compile, or load from disk, the `JackProcessCallback`; its argument is the address of a `RECORD`."""
    return c_function(_JACK, _on_cycle)


def _on_cycle(frames, userdata):
    record = carray(userdata, (1,), RECORD)[0]
    positions = carray(pointer_at(record.positions), (POSITIONS,), np.int64)
    _take_in(record, positions, np.int64(frames))
    _give_out(record, positions, np.int64(frames))
    return np.int32(0)


@njit_inline
def _take_in(record, positions, frames):
    buffer = call_with_frames(record.jack_port_get_buffer, record.in_port, frames)
    event = carray(pointer_at(record.event), (3,), np.int64)  # its frame, its length, its address
    before = positions[RECEIVED]
    for index in range(call_c(record.jack_midi_get_event_count, (buffer,)) & _HALF):
        if call_c(record.jack_midi_event_get, (record.event, buffer, index)) & _HALF == 0:
            _keep(record, positions, event[1], event[2])
    if positions[RECEIVED] > before:
        call_c(record.write, (record.bell, record.lamp, 1))


@njit_inline
def _keep(record, positions, length, address):
    number = positions[RECEIVED]
    message = carray(pointer_at(address), (length,), np.uint8)
    if length < 1 or message[0] == _CLOCK or message[0] == _SENSING:
        return
    if length > LONGEST or number - load_acquire(positions, TAKEN) >= SLOTS:
        positions[LOST] += 1
        return
    slot = number % SLOTS
    kept = carray(pointer_at(record.in_bytes), (SLOTS, LONGEST), np.uint8)
    for index in range(length):
        kept[slot, index] = message[index]
    carray(pointer_at(record.in_lengths), (SLOTS,), np.int64)[slot] = length
    store_release(positions, RECEIVED, number + 1)


@njit_inline
def _give_out(record, positions, frames):
    buffer = call_with_frames(record.jack_port_get_buffer, record.out_port, frames)
    call_c(record.jack_midi_clear_buffer, (buffer,))
    lengths = carray(pointer_at(record.out_lengths), (SLOTS,), np.int64)
    given, number = load_acquire(positions, GIVEN), positions[SENT]
    while number < given:
        slot = number % SLOTS
        address = record.out_bytes + slot * LONGEST
        if call_c(record.jack_midi_event_write, (buffer, 0, address, lengths[slot])) & _HALF:
            break  # the cycle is full: the rest goes with the next
        number += 1
    store_release(positions, SENT, number)


@njit_cached
def put(kept, lengths, positions, message) -> bool:
    """Hand a message, bytes as uint8, to the server's thread; say whether there was room. For one thread.

    Args:
        kept: the ring, uint8 ``(SLOTS, LONGEST)``.
        lengths: of its messages, ``(SLOTS,)``.
        positions: how many were written and read.
        message: uint8 ``(bytes,)``.

    Returns:
        Whether there was room.
    """
    number = positions[GIVEN]
    if len(message) > LONGEST or number - load_acquire(positions, SENT) >= SLOTS:
        return False
    kept[number % SLOTS, : len(message)] = message
    lengths[number % SLOTS] = len(message)
    store_release(positions, GIVEN, number + 1)
    return True


@njit_cached
def received(positions) -> int:
    """Return how many messages have come so far."""
    number: int = load_acquire(positions, RECEIVED)
    return number


@njit_cached
def take_until(positions, number) -> None:
    """Give back the room of all messages before ``number``.

    Args:
        positions: how many were written and read.
        number: count of messages, from the start.
    """
    store_release(positions, TAKEN, number)
