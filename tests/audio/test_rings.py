"""The rings between the audio thread and the worker: a read returns the written frames or nothing."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from stream_sep.audio.ring_layout import (
    COMPUTE_MAX_NS,
    COMPUTE_NS,
    EMPTY,
    HEARTBEAT,
    HOPS_DONE,
    NONFINITE,
    TIMINGS,
    RingLayout,
)
from stream_sep.audio.rings import Rings, _position, write_frames
from stream_sep.audio.shared_rings import SharedRings
from stream_sep.errors import SeparatorError

LAYOUT = RingLayout(channels=2, stems=3, hop=48, capacity=512, slots=5)


def write(rings, block):
    write_frames(rings.capture, rings.positions, np.ascontiguousarray(block, np.float32), block.shape[1])


def read(rings, number):
    out = np.full((rings.layout.channels, rings.layout.hop), np.nan, np.float32)
    return rings.read_hop(number, out), out


def counted(start, frames):
    """Two channels of frame numbers, the right one negative."""
    return np.arange(start, start + frames, dtype=np.float32) * np.array([[1], [-1]], np.float32)


@pytest.fixture
def shared():
    rings = SharedRings.create(LAYOUT)
    yield rings
    rings.close()


@pytest.fixture
def second_process(shared):
    """Runs a script in another process that has the rings as ``rings``."""
    begin = "import json, sys; import numpy as np; from stream_sep.audio.shared_rings import SharedRings; "
    begin += "rings = SharedRings.attach(json.loads(sys.argv[1])); hop = rings.layout.hop\n"
    started = []

    def start(script):
        command = [sys.executable, "-c", begin + script, json.dumps(shared.describe())]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("seed", range(5))
def test_any_mixture_of_writes_and_reads_gives_what_a_list_would(seed):
    rng = np.random.default_rng(seed)
    rings, received, recent = Rings(LAYOUT), np.zeros((2, 0), np.float32), 0
    for _ in range(300):
        block = rng.standard_normal((2, rng.integers(1, 130))).astype(np.float32)
        write(rings, block)
        received = np.concatenate([received, block], axis=1)
        assert rings.captured() == received.shape[1]
        number = int(rng.integers(0, received.shape[1] // LAYOUT.hop + 1))
        if (number + 1) * LAYOUT.hop > received.shape[1]:
            continue
        good, out = read(rings, number)
        if good:
            np.testing.assert_array_equal(out, received[:, number * LAYOUT.hop : (number + 1) * LAYOUT.hop])
        else:
            assert received.shape[1] - number * LAYOUT.hop > LAYOUT.capacity // 2
        recent += good
    assert recent > 3
    assert received.shape[1] > 10 * LAYOUT.capacity


def test_a_hop_that_is_overwritten_is_refused():
    rings = Rings(LAYOUT)
    write(rings, counted(0, LAYOUT.hop))
    assert read(rings, 0)[0]
    for start in range(LAYOUT.hop, 600, 10):
        write(rings, counted(start, 10))
        good, out = read(rings, 0)
        assert not good or np.array_equal(out, counted(0, LAYOUT.hop))
    assert not good


def test_a_published_hop_carries_its_number_and_stays_whole():
    rings = Rings(LAYOUT)
    stems = np.random.default_rng(0).standard_normal((20, 3, 2, 48)).astype(np.float32)
    for number in range(20):
        rings.publish(number, stems[number])
        for earlier in range(max(0, number - LAYOUT.slots + 1), number + 1):
            assert rings.tags[earlier % LAYOUT.slots] == earlier
            np.testing.assert_array_equal(rings.hops[earlier % LAYOUT.slots], stems[earlier])


def test_skipped_or_refused_hop_differs_from_one_that_never_came():
    rings = Rings(LAYOUT)
    assert rings.tags.tolist() == [EMPTY] * 5
    rings.publish(1, np.ones((3, 2, 48), np.float32))
    rings.mark_skipped(6)
    rings.mark_invalid(7)
    assert rings.tags.tolist() == [EMPTY, EMPTY - 7, EMPTY - 8, EMPTY, EMPTY]
    assert rings.positions[NONFINITE] == 1


def test_the_times_of_hops_are_counted_and_the_newest_kept():
    rings = Rings(LAYOUT)
    for nanoseconds in range(TIMINGS + 3):
        rings.count_hop(nanoseconds)
    assert rings.positions[HOPS_DONE] == TIMINGS + 3
    assert rings.positions[COMPUTE_MAX_NS] == TIMINGS + 2
    assert rings.positions[COMPUTE_NS] == sum(range(TIMINGS + 3))
    assert rings.timings[:4].tolist() == [TIMINGS, TIMINGS + 1, TIMINGS + 2, 3]


def test_cleared_rings_are_as_new():
    rings, new = Rings(LAYOUT), Rings(LAYOUT)
    write(rings, counted(0, 100))
    rings.publish(3, np.ones((3, 2, 48), np.float32))
    rings.count_hop(5)
    rings.clear()
    for name in ("positions", "tags", "timings", "capture"):
        np.testing.assert_array_equal(getattr(rings, name), getattr(new, name))


@pytest.mark.slow
def test_a_second_process_sees_the_rings_and_leaves_them_when_it_ends(shared, second_process):
    write(shared, counted(0, 96))
    script = """
block = np.zeros((2, hop), np.float32)
assert rings.captured() == 96 and rings.read_hop(1, block)
rings.publish(7, np.stack([block, 2 * block, 3 * block]))
rings.heartbeat(123)
rings.close()
"""
    process = second_process(script)
    assert process.communicate()[0] == ""
    assert process.returncode == 0
    assert shared.tags[7 % LAYOUT.slots] == 7
    assert shared.positions[HEARTBEAT] == 123
    np.testing.assert_array_equal(shared.hops[7 % 5], counted(48, 48) * np.array([1, 2, 3])[:, None, None])
    later = second_process("assert rings.captured() == 96")
    assert later.communicate()[0] == ""


def test_what_the_owner_closes_is_gone():
    rings = SharedRings.create(LAYOUT)
    described = rings.describe()
    rings.close()
    with pytest.raises(FileNotFoundError):
        SharedRings.attach(described)


@pytest.mark.slow
def test_a_reader_never_finds_another_hop_under_a_number(shared, second_process):
    """The soak: another process separates numbered hops; what lies under a number is that number's sound."""
    script = """
number, block = 0, np.zeros((2, hop), np.float32)
while True:
    if rings.captured() < (number + 1) * hop:
        continue
    if rings.read_hop(number, block):
        rings.publish(number, np.stack([block, 2 * block, 3 * block]))
        number += 1
    else:
        rings.count_jump()
        number = rings.captured() // hop
"""
    process = second_process(script)
    factors, hop, seen, number = np.array([1, 2, 3], np.float32)[:, None, None], LAYOUT.hop, 0, 0
    deadline = time.monotonic() + 90
    while seen < 5000 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        write(shared, np.full((2, hop), number, np.float32))
        for _ in range(3):
            for index in range(max(number - 2, 0), number + 1):
                if _position(shared.tags, index % LAYOUT.slots) == index:
                    assert (shared.hops[index % LAYOUT.slots] == index * factors).all(), index
                    seen += 1
        number += 1
    assert seen >= 5000


def test_header_of_new_rings_has_magic_version_and_sizes(shared):
    assert bytes(shared.header[:1]) == b"SSEPRNG1"
    assert shared.header[1:].tolist() == [1, 2, 3, 48, 512, 5, LAYOUT.size]


def test_attach_to_memory_of_another_version_is_refused(shared):
    shared.header[1] = 99
    with pytest.raises(SeparatorError, match="another version"):
        SharedRings.attach(shared.describe())


@pytest.mark.parametrize(("captured", "begin"), [(0, 0), (1, 48), (48, 48), (49, 96)])
def test_stream_begins_with_the_next_whole_hop(captured, begin):
    rings = Rings(LAYOUT)
    if captured:
        write(rings, counted(0, captured))
    assert rings.begin_stream() == begin
    assert (rings.stream_begin(), rings.captured()) == (begin, begin)
