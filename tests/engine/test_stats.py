"""Every kind of error has its message; without errors there is none."""

from dataclasses import replace

import pytest

from stream_sep.audio.state import COUNTERS
from stream_sep.engine.stats import EngineStats, Reporter, describe_problems

QUIET = EngineStats(dict.fromkeys(COUNTERS, 0), 100, (1.0, 2.0, 3.0), (5.0, 9.0, 20.0), 0, 0, 0)


def after(**counters):
    return replace(QUIET, hops=200, counters={**QUIET.counters, **counters})


def test_nothing_is_reported_when_all_is_well():
    assert describe_problems(QUIET, after(blocks=500, frames=64000), 5.8) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (after(late_hops=3), "late for 3 hops"),
        (after(output_underflows=2, input_overflows=1), "lost 3 blocks: raise the block size (with JACK,"),
        (after(output_underflows=1), "lost 1 block:"),
        (after(bad_input=7), "7 samples of NaN"),
        (after(record_dropped=128), "128 frames missing"),
        (after(behind_ms=2300), "2.3 s behind"),
        (replace(after(), nonfinite_hops=1), "NaN, infinity or excessive levels in 1 hop:"),
    ],
    ids=["late", "xruns", "one xrun", "bad input", "slow disk", "slow machine", "bad model"],
)
def test_each_kind_of_error_has_one_message_with_its_count(now, words):
    messages = describe_problems(QUIET, now, 5.8)
    assert len(messages) == 1
    assert words in messages[0]


def test_the_remedy_fits_the_cause():
    slow = replace(after(late_hops=1), hop_ms=(9.0, 9.0, 9.0))
    assert "lighter model" in describe_problems(QUIET, slow, 5.8)[0]
    assert "--slack" in describe_problems(QUIET, after(late_hops=1), 5.8)[0]
    waited = replace(after(late_hops=1), slack_needed=640)
    assert "--slack 640 would have been enough" in describe_problems(QUIET, waited, 5.8, slack=512)[0]
    assert "raise --slack" in describe_problems(QUIET, replace(waited, slack_needed=50000), 5.8, slack=512)[0]
    restarted = replace(waited, restarts=QUIET.restarts + 1)
    assert describe_problems(QUIET, restarted, 5.8, slack=512)[0].endswith("was restarted meanwhile")
    assert "computed none" in describe_problems(QUIET, replace(after(late_hops=1), hops=QUIET.hops), 5.8)[0]


def test_earlier_errors_are_not_reported_twice():
    readings, received = [QUIET, after(late_hops=1), after(late_hops=1)], []
    reporter = Reporter(lambda: readings.pop(0), 5.8, received.append)
    reporter.poll()
    reporter.poll()
    assert len(received) == 1
