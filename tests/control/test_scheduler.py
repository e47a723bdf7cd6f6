"""Changes that are due at moments to come: in order, bounded, and none the end of the others."""

import threading
import time

import pytest
from waiting import PATIENCE, until

from stream_sep.control.scheduler import MAX_SCHEDULED, ChangeScheduler
from stream_sep.errors import ConfigError


@pytest.fixture
def start():
    made = []

    def started(tick=lambda: None):
        made.append(ChangeScheduler(tick))
        made[-1].start()
        return made[-1]

    yield started
    for scheduler in made:
        scheduler.stop()


def test_changes_are_made_in_the_order_of_their_moments(start):
    done, now = [], time.monotonic()
    scheduler = start()
    for place in (3, 1, 2):
        scheduler.schedule(now + 0.05 * place, lambda place=place: done.append(place))
    until(lambda: done == [1, 2, 3])


def test_a_change_and_a_tick_that_fail_cost_no_other(start, caplog):
    ticked, done = threading.Event(), threading.Event()

    def tick():
        ticked.set()
        raise ZeroDivisionError

    scheduler = start(tick)
    assert ticked.wait(PATIENCE)
    scheduler.schedule(time.monotonic(), lambda: 1 / 0)
    scheduler.schedule(time.monotonic(), done.set)
    assert done.wait(PATIENCE)
    assert "a scheduled change failed" in caplog.text


def test_what_waits_is_bounded():
    scheduler = ChangeScheduler(lambda: None)
    for _ in range(MAX_SCHEDULED):
        scheduler.schedule(time.monotonic() + 2, lambda: None)
    with pytest.raises(ConfigError, match="scheduled already"):
        scheduler.schedule(time.monotonic() + 2, lambda: None)
