"""How long the plug-in may wait for stems, by how far its host runs ahead of the clock: no real clock is involved."""

import pytest

RATE, BLOCK = 44100, 512
MILLISECOND, SECOND = 1_000_000, 1_000_000_000
REAL_TIME = 0
BLOCK_NS = round(BLOCK / RATE * SECOND)


@pytest.fixture
def limit(harness):
    """A function of the time at which the host requests a block, in nanoseconds from the start of the stream."""
    clock = harness.clock_new(5 * SECOND)
    yield lambda now, offline=False: harness.clock_limit(clock, 5 * SECOND + now, BLOCK, RATE, offline)
    harness.clock_free(clock)


def test_host_that_reports_offline_rendering_is_held_two_seconds_at_most(limit):
    assert [limit(block * MILLISECOND, offline=True) for block in range(1000)] == [2 * SECOND] * 1000


def test_host_that_keeps_to_the_clock_is_never_held(limit):
    assert {limit(block * BLOCK_NS) for block in range(1000)} == {0}


@pytest.mark.parametrize("stall", [30, 60, 95])
def test_driver_that_catches_up_after_a_stall_is_never_held(limit, stall):
    settled = 100
    assert {limit(block * BLOCK_NS) for block in range(settled)} == {0}
    late = settled * BLOCK_NS + stall * MILLISECOND
    missed = stall * MILLISECOND // BLOCK_NS
    assert {limit(late) for _ in range(missed + 1)} == {0}  # as many blocks as the stall was long, all at once


def test_host_that_renders_without_reporting_it_is_held_from_its_second_block(limit):
    assert limit(0) == 0
    assert limit(0) == pytest.approx(BLOCK_NS, abs=2)
    assert limit(0) == pytest.approx(2 * BLOCK_NS, abs=2)


def test_host_that_turns_to_rendering_is_held_while_it_is_far_ahead_and_never_behind_the_clock(limit):
    blocks, settled = 200, 100
    for block in range(settled):
        limit(block * BLOCK_NS)
    now, waited = settled * BLOCK_NS, 0
    for block in range(blocks):
        ahead = block * BLOCK_NS - waited
        allowed = limit(now + waited)
        assert (allowed > 0) == (ahead > 100 * MILLISECOND)
        assert allowed < max(ahead, 1)
        waited += allowed // 2  # stems arrive within the limit
    assert waited > 0


def test_host_is_held_two_seconds_at_most_however_far_ahead_it_is(limit):
    limits = [limit(0) for _ in range(1000)]
    assert max(limits) == 2 * SECOND


def test_only_a_host_far_ahead_is_held_for_an_engine_that_starts(harness):
    clock = harness.clock_new(0)
    limits = []
    for _ in range(500):
        limits.append(harness.clock_start_limit(clock, 0))
        harness.clock_limit(clock, 0, BLOCK, RATE, REAL_TIME)
    ahead = [number * BLOCK_NS for number in range(500)]
    expected = [min(each - 20 * MILLISECOND, 2 * SECOND) if each > 100 * MILLISECOND else 0 for each in ahead]
    assert limits == pytest.approx(expected, abs=500)
    assert harness.clock_start_limit(clock, 3600 * SECOND) == 0
    harness.clock_free(clock)


def test_new_stream_begins_with_a_host_that_is_not_ahead(harness):
    clock = harness.clock_new(0)
    for _ in range(500):
        harness.clock_limit(clock, 0, BLOCK, RATE, REAL_TIME)
    harness.clock_restart(clock, SECOND)
    assert harness.clock_limit(clock, SECOND, BLOCK, RATE, REAL_TIME) == 0
    harness.clock_free(clock)
