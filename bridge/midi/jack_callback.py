"""The JACK process callback of our MIDI ports: compiled, so that the server never waits for the GIL.

Messages pass through two ring buffers, each with one writer and one reader: the server's thread and ours.
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
"""Messages that a ring buffer holds: received while Python is busy, or sent at once."""

MAX_BYTES = 512
"""Bytes of a message; longer ones, such as dumps of a synthesizer's sounds, are dropped."""

FUNCTIONS = ("jack_port_get_buffer", "jack_midi_get_event_count", "jack_midi_event_get", "jack_midi_clear_buffer",
             "jack_midi_event_write")  # fmt: skip
RECEIVED, READ, QUEUED, SENT, DROPPED = 0, 8, 16, 24, 32  # positions, a cache line apart
POSITIONS = 40

_POINTERS = (
    "in_port",
    "out_port",
    "event",
    "in_bytes",
    "in_lengths",
    "out_bytes",
    "out_lengths",
    "positions",
    "wake_byte",
)
RECORD = np.dtype([(name, np.int64) for name in (*_POINTERS, *FUNCTIONS, "write", "wake_send")])
"""Ports, memory and functions by their addresses; ``wake_send`` is the pipe written to on received messages."""

_JACK = types.int32(types.uint32, types.voidptr)
_CLOCK, _SENSING = 0xF8, 0xFE  # sent by devices all the time
_HALF = 0xFFFFFFFF  # the upper half of the register is undefined after a C function that returns 32 bits


@cache
def midi_callback() -> Any:  # noqa: ANN401 - Numba's CFunc
    """Compile, or load from disk, the `JackProcessCallback`; its argument is the address of a `RECORD`."""
    return c_function(_JACK, _on_cycle)


def _on_cycle(frames, userdata):
    record = carray(userdata, (1,), RECORD)[0]
    positions = carray(pointer_at(record.positions), (POSITIONS,), np.int64)
    _read_port(record, positions, np.int64(frames))
    _write_port(record, positions, np.int64(frames))
    return np.int32(0)


@njit_inline
def _read_port(record, positions, frames):
    buffer = call_with_frames(record.jack_port_get_buffer, record.in_port, frames)
    event = carray(pointer_at(record.event), (3,), np.int64)  # its frame, its length, its address
    before = positions[RECEIVED]
    for index in range(call_c(record.jack_midi_get_event_count, (buffer,)) & _HALF):
        if call_c(record.jack_midi_event_get, (record.event, buffer, index)) & _HALF == 0:
            _store(record, positions, event[1], event[2])
    if positions[RECEIVED] > before:
        call_c(record.write, (record.wake_send, record.wake_byte, 1))


@njit_inline
def _store(record, positions, length, address):
    number = positions[RECEIVED]
    message = carray(pointer_at(address), (length,), np.uint8)
    if length < 1 or message[0] == _CLOCK or message[0] == _SENSING:
        return
    if length > MAX_BYTES or number - load_acquire(positions, READ) >= SLOTS:
        positions[DROPPED] += 1
        return
    slot = number % SLOTS
    ring = carray(pointer_at(record.in_bytes), (SLOTS, MAX_BYTES), np.uint8)
    for index in range(length):
        ring[slot, index] = message[index]
    carray(pointer_at(record.in_lengths), (SLOTS,), np.int64)[slot] = length
    store_release(positions, RECEIVED, number + 1)


@njit_inline
def _write_port(record, positions, frames):
    buffer = call_with_frames(record.jack_port_get_buffer, record.out_port, frames)
    call_c(record.jack_midi_clear_buffer, (buffer,))
    lengths = carray(pointer_at(record.out_lengths), (SLOTS,), np.int64)
    queued, number = load_acquire(positions, QUEUED), positions[SENT]
    while number < queued:
        slot = number % SLOTS
        address = record.out_bytes + slot * MAX_BYTES
        if call_c(record.jack_midi_event_write, (buffer, 0, address, lengths[slot])) & _HALF:
            break  # the buffer is full: the rest follows in the next cycle
        number += 1
    store_release(positions, SENT, number)


@njit_cached
def enqueue(ring, lengths, positions, message) -> bool:
    """Queue a message for the server's thread; return False if the ring is full. For one thread.

    Args:
        ring: the ring buffer, uint8 ``(SLOTS, MAX_BYTES)``.
        lengths: of its messages, ``(SLOTS,)``.
        positions: how many were written and read.
        message: uint8 ``(bytes,)``.

    Returns:
        Whether the message was queued.
    """
    number = positions[QUEUED]
    if len(message) > MAX_BYTES or number - load_acquire(positions, SENT) >= SLOTS:
        return False
    ring[number % SLOTS, : len(message)] = message
    lengths[number % SLOTS] = len(message)
    store_release(positions, QUEUED, number + 1)
    return True


@njit_cached
def received(positions) -> int:
    """Return how many messages have been received so far."""
    number: int = load_acquire(positions, RECEIVED)
    return number


@njit_cached
def release_until(positions, number) -> None:
    """Free the slots of all messages before ``number``.

    Args:
        positions: how many were written and read.
        number: count of messages, from the start.
    """
    store_release(positions, READ, number)
