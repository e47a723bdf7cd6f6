"""Latency formulas against oracles without one: a search, and a worker simulated hop by hop."""

import dataclasses
import itertools
import math
import os

import numpy as np
import pytest

from stream_sep import Engine, EngineConfig, OfflineBackend
from stream_sep.audio.latency import JITTER_MS, LatencyReport, adaptation_delay, fixed_prefill, slack_for
from stream_sep.engine import latency_plan
from stream_sep.engine.worker.separator_info import warm_up
from stream_sep.lowlevel.cpu_steal import cpu_steal_seconds
from stream_sep.separators import load_separator

SIZES = range(1, 25)
TENTHS = range(1, 11)


def runs_dry(block, hop, prefill):
    """Whether a queue of ``prefill`` frames ever lacks frames for a block, with hops computed in no time."""
    ready, waiting = prefill, 0
    for _ in range(math.lcm(block, hop) // block):
        waiting += block
        ready += waiting // hop * hop - block
        waiting %= hop
        if ready < 0:
            return True
    return False


def starves(block, hop, prefill, tenths):
    """Return whether a hop is ever unfinished when its first frame must play; it takes ``tenths`` of its own length.

    Blocks come at multiples of ``block``; one worker computes hop after hop. Clocks are tenths of frames.
    """
    free = 0
    for number in range(3 * block + 3):
        whole = 10 * block * (math.ceil((number + 1) * hop / block) - 1)
        sounds = 10 * block * ((number * hop + prefill) // block)
        free = max(free, whole) + tenths * hop
        if free > sounds:
            return True
    return False


def starving(slack):
    return [
        (block, hop, tenths)
        for block, hop, tenths in itertools.product(SIZES, SIZES, TENTHS)
        if starves(block, hop, adaptation_delay(block, hop) + slack(block, hop, math.ceil(tenths * hop / 10)), tenths)
    ]


@pytest.mark.parametrize("block", range(1, 49))
def test_adaptation_is_the_fewest_whole_blocks_that_a_search_finds(block):
    for hop in range(1, 49):
        found = next(prefill for prefill in itertools.count(0, block) if not runs_dry(block, hop, prefill))
        assert adaptation_delay(block, hop) == found, hop


def test_slack_never_lets_a_block_starve():
    assert starving(slack_for) == []


def test_without_slack_some_blocks_starve():
    assert starving(lambda *_: 0)


def test_without_the_block_for_uneven_sizes_some_blocks_starve():
    found = starving(lambda block, _, compute: math.ceil(compute / block) * block)
    assert found
    assert all(hop % block for block, hop, _ in found)


def test_the_total_is_the_sum_of_its_terms_in_frames_and_milliseconds():
    report = LatencyReport(sample_rate=48000, adaptation=128, slack=256, separator=512, device=1000, drift=24)
    assert (report.prefill, report.engine, report.total) == (384, 896, 1920)
    assert report.milliseconds(report.total) == 40
    *terms, total = report.terms()
    assert total == ("total", sum(frames for _, frames in terms))


def plan_of(model, rate, *, block=128, hop_seconds=0.001, **settings):
    """The plan of an engine on a machine where a hop took so many seconds at the start."""
    separator = load_separator(model, sample_rate=rate)
    info = dataclasses.replace(warm_up(separator, calls=1), hop_seconds=hop_seconds)
    return latency_plan.plan_latency(info, EngineConfig(**settings), OfflineBackend(rate, block))


@pytest.mark.parametrize("rate", [44100, 48000, 88200, 96000])
def test_the_default_engine_keeps_within_35_ms(rate):
    report = plan_of(EngineConfig().model, rate)
    assert report.milliseconds(report.engine) <= 35


@pytest.mark.parametrize("block", [64, 100, 128, 480, 512, 1024])
@pytest.mark.parametrize("model", ["live", "instant", "bands"])
def test_latency_does_not_depend_on_what_was_measured(model, block):
    plans = [plan_of(model, 44100, block=block, hop_seconds=seconds) for seconds in (0.0001, 0.003, 0.1)]
    assert plans[0] == plans[1] == plans[2]
    assert plans[0].slack > 0


def test_latency_is_that_of_the_figures():
    terms = [plan_of(model, 44100).prefill for model in ("live", "instant")]
    assert terms == [896, 512]


def test_requested_slack_is_the_slack_used():
    assert plan_of("live", 44100, slack=2048).slack == 2048


@pytest.mark.parametrize(
    ("received", "seconds"),
    [
        ("cpu  9 8 7 6 5 4 3 250 2 1\ncpu0 9 8 7 6 5 4 3 1 2 1\n", 250),
        ("cpu  9 8 7 6 5 4 3 0 2 1\n", 0),
        ("cpu  9 8 7 6\n", 0),
        ("", 0),
    ],
)
def test_what_a_host_stole_is_read_from_the_times_of_all_processors(tmp_path, received, seconds):
    (tmp_path / "stat").write_text(received)
    ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1
    assert cpu_steal_seconds(tmp_path / "stat") * ticks == pytest.approx(seconds)
    assert cpu_steal_seconds(tmp_path / "none") == 0


def stats_of_lagging(block, hop, lag, slack):
    """Counters of an engine whose stems come ``lag`` blocks after the last frame of their hop has."""
    backend = OfflineBackend(block_size=block)
    separator = load_separator("passthrough", hop=hop)
    engine = Engine(backend, EngineConfig(model=separator, worker="inline", slack=slack))

    def catch_up():
        worker = engine._worker._worker
        while engine._rings.captured() >= (worker._next + 1) * hop + lag * block and worker.step():
            pass

    engine._worker.catch_up = catch_up
    with engine:
        backend.feed(np.full((2, 40 * block * math.ceil(hop / block)), 0.1, np.float32))
        return engine.stats()


@pytest.mark.parametrize(("block", "hop"), [(128, 512), (128, 128), (100, 256), (256, 100)])
@pytest.mark.parametrize("lag", [0, 1, 3])
def test_required_slack_is_enough(block, hop, lag):
    needed = stats_of_lagging(block, hop, lag, slack=8192).slack_needed
    assert stats_of_lagging(block, hop, lag, slack=needed).late_hops == 0
    if hop % block == 0:
        assert needed == (lag + 1) * block
        assert stats_of_lagging(block, hop, lag, slack=needed - block).late_hops > 0


@pytest.mark.parametrize("block", range(1, 49))
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_fixed_prefill_is_enough_for_a_worker_that_begins_late_and_takes_its_share_of_a_hop(block, share):
    rate = round(7000 / JITTER_MS)
    for hop in range(1, 49):
        prefill, free = fixed_prefill(block, hop, rate, compute_share=share), 0
        for number in range(3 * block + 3):
            captured = block * (math.ceil((number + 1) * hop / block) - 1)
            free = max(free, captured + 7) + math.ceil(hop * share)
            played = block * ((number * hop + prefill) // block)
            assert free <= played, (hop, number)


@pytest.mark.parametrize("block", [1, 32, 333, 512, 8192])
def test_fixed_prefill_holds_a_whole_hop_however_a_host_cuts_its_blocks(block):
    assert all(fixed_prefill(block, hop, 44100) >= hop for hop in (128, 371, 512, 2048))
