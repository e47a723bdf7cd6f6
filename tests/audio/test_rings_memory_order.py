"""The order in which the rings write: no thread, on any processor, finds sound under a number that is not its own."""

import threading
import types

import numba
import numpy as np
import pytest
from memory_model import Op, Recorded, interpreted, memories, outcomes

from stream_sep.audio import process_block, rings, state
from stream_sep.audio.ring_layout import CAPTURED, EMPTY, RingLayout
from stream_sep.audio.rings import Rings, write_frames
from stream_sep.lowlevel.numba_intrinsics import load_acquire

OLD, NEW, FRAMES = 3, 5, 2  # two slots: hop 5 takes the place of hop 3
SLOT = NEW % 2
TAG = ("tags", SLOT)
DATA = [("hops", (SLOT, 0, 0, frame)) for frame in range(FRAMES)]


def published():
    """What the separator's thread does when it publishes hop `NEW`, and the memory it begins with."""
    ops = []
    stems = np.full((1, 1, FRAMES), NEW)
    tags, hops = Recorded("tags", (2,), ops), Recorded("hops", (2, 1, 1, FRAMES), ops)
    interpreted(rings._publish, ops)(tags, hops, NEW, stems)
    return ops, {TAG: OLD, **dict.fromkeys(DATA, OLD)}


def test_a_number_is_there_only_while_all_of_its_sound_is():
    ops, start = published()
    seen = {(memory[TAG], *(memory[place] for place in DATA)) for memory in memories(ops, start)}
    assert {found for found in seen if found[0] == NEW} == {(NEW, NEW, NEW)}
    assert {found for found in seen if found[0] == OLD} == {(OLD, OLD, OLD)}
    assert len({found for found in seen if found[0] == EMPTY}) > 1


def test_a_reader_that_finds_the_number_finds_its_sound():
    ops, start = published()
    reader = [Op("load", TAG, ordered=True), *(Op("load", place) for place in DATA)]
    found = set(outcomes(ops, reader, start))
    assert (NEW, NEW, NEW) in found
    assert not {values for values in found if values[0] == NEW and set(values) != {NEW}}


def test_without_an_acquire_a_reader_could_find_the_number_before_the_sound():
    """The checker does see what goes wrong where an order is missing."""
    ops, start = published()
    reader = [Op("load", TAG), *(Op("load", place) for place in DATA)]
    assert {values for values in outcomes(ops, reader, start) if values[0] == NEW and set(values) != {NEW}}


def test_the_audio_thread_reads_numbers_with_an_acquire():
    ops = []
    record = types.SimpleNamespace(slots=2, last_missed=-1, late_hops=0)
    tags = Recorded("tags", (2,), ops, {SLOT: NEW})
    assert interpreted(process_block._is_ready, ops)(record, tags, NEW)
    assert ops == [Op("load", TAG, ordered=True)]


@pytest.mark.parametrize("begin", [0, 3])
def test_frames_are_counted_after_they_are_captured(begin):
    ops, frames, capacity = [], 3, 4
    positions = Recorded("positions", (1,), ops, {CAPTURED: begin})
    capture = Recorded("capture", (1, capacity), ops)
    block = np.arange(begin, begin + frames)[None]
    interpreted(rings.write_frames, ops)(capture, positions, block, frames)
    stores = [op for op in ops if op.kind == "store"]
    start = {("positions", CAPTURED): begin}
    for memory in memories(stores, start):
        counted = memory["positions", CAPTURED]
        for frame in range(begin, counted):
            assert memory["capture", (0, frame % capacity)] == frame


def test_the_separator_reads_the_count_with_an_acquire():
    ops = []
    interpreted(rings._position, ops)(Recorded("positions", (1,), ops), CAPTURED)
    assert ops == [Op("load", ("positions", CAPTURED), ordered=True)]


def test_a_mix_is_whole_before_its_number_is_there():
    ops = []
    local, snapshots = Recorded("local", (24,), ops, {0: 7}), Recorded("snapshots", (16, 3), ops)
    interpreted(state._publish, ops)(local, snapshots, np.array([0.1, 0.2, 0.3]))
    stores = [op for op in ops if op.kind == "store"]
    for memory in memories(stores, {("local", 0): 7}):
        if memory["local", 0] == 8:
            assert [memory["snapshots", (8, k)] for k in range(3)] == [0.1, 0.2, 0.3]


@numba.njit(nogil=True)
def watch_hops(tags, hops, stop):
    """Look at the hops while another thread publishes; return how many were seen and how many were not whole."""
    seen = torn = 0
    while stop[0] == 0:
        for slot in range(tags.shape[0]):
            number = load_acquire(tags, slot)
            if number < 0:
                continue
            wrong = False
            for frame in range(hops.shape[3]):
                wrong |= hops[slot, 0, 0, frame] != np.float32(number)
            if load_acquire(tags, slot) == number:  # it was this hop all the while
                seen += 1
                torn += 1 if wrong else 0
    return seen, torn


@numba.njit(nogil=True)
def watch_capture(capture, positions, stop):
    """Look at the newest frames while another thread captures; return how many were seen, and how many not there."""
    seen = wrong = 0
    while stop[0] == 0:
        end = load_acquire(positions, CAPTURED)
        first, last = capture[0, (end - 64) % capture.shape[1]], capture[0, (end - 1) % capture.shape[1]]
        if end >= 64 and load_acquire(positions, CAPTURED) - end < capture.shape[1] // 2:
            seen += 1
            wrong += 1 if first != np.float32(end - 64) or last != np.float32(end - 1) else 0
    return seen, wrong


def watched(watch, *arrays, work, enough):
    """Run compiled ``watch`` on a second thread beside ``work``; return its counts."""
    stop, counted = np.zeros(1, np.int64), []
    watch(*arrays, np.ones(1, np.int64))  # compiles it
    thread = threading.Thread(target=lambda: counted.append(watch(*arrays, stop)))
    thread.start()
    try:
        for step in range(enough):
            work(step)
    finally:
        stop[0] = 1
        thread.join()
    return counted[0]


def test_a_thread_beside_the_separator_never_finds_half_a_hop():
    memory = Rings(RingLayout(channels=1, stems=1, hop=4096, capacity=1024, slots=2))
    stems = np.zeros((1, 1, 4096), np.float32)

    def publish(number):
        stems[:] = number
        rings._publish(memory.tags, memory.hops, number, stems)

    seen, torn = watched(watch_hops, memory.tags, memory.hops, work=publish, enough=20_000)
    assert seen > 100
    assert torn == 0


def test_a_thread_beside_the_audio_thread_finds_every_frame_that_is_counted():
    memory = Rings(RingLayout(channels=1, stems=1, hop=64, capacity=1 << 16, slots=2))
    block = np.zeros((1, 64), np.float32)

    def capture(step):
        block[0] = np.arange(64 * step, 64 * step + 64)  # exact in float32 for as long as this runs
        write_frames(memory.capture, memory.positions, block, 64)

    seen, wrong = watched(watch_capture, memory.capture, memory.positions, work=capture, enough=50_000)
    assert seen > 100
    assert wrong == 0
