"""Slow calls off the thread: in order, bounded, and none the end of the others."""

import threading

import pytest
from waiting import PATIENCE, until

from bridge.background import MAX_WAITING, BackgroundCalls
from stream_sep.errors import BridgeError, PresetError


def fail(error):
    raise error


@pytest.fixture
def woken():
    return threading.Event()


@pytest.fixture
def calls(woken):
    return BackgroundCalls("test", woken.set)


def test_calls_are_made_in_order_and_their_outcomes_handed_on_here(calls):
    done, here = [], threading.get_ident()
    for number in range(5):
        calls.submit(lambda number=number: (number, threading.get_ident()), done.append)
    assert calls.wait(PATIENCE)
    assert done == []
    calls.finish()
    assert [outcome.result[0] for outcome in done] == list(range(5))
    assert all(outcome.result[1] != here for outcome in done)


def test_a_call_that_fails_costs_no_other(calls, caplog):
    done = []
    for error in (PresetError("there is none"), ZeroDivisionError("a mistake")):
        calls.submit(lambda error=error: fail(error), done.append)
    calls.submit(lambda: "fine", done.append)
    assert calls.wait(PATIENCE)
    calls.finish()
    assert [str(outcome.error) for outcome in done[:2]] == [
        "there is none",
        "this failed unexpectedly: ZeroDivisionError: a mistake",
    ]
    assert done[2].result == "fine"
    assert caplog.text.count("Traceback") == 1


def test_what_waits_is_bounded(calls):
    started, going = threading.Event(), threading.Event()
    calls.submit(lambda: started.set() or going.wait(PATIENCE), lambda _: None)
    assert started.wait(PATIENCE)
    for _ in range(MAX_WAITING):
        calls.submit(lambda: None, lambda _: None)
    with pytest.raises(BridgeError, match="waiting already"):
        calls.submit(lambda: None, lambda _: None)
    going.set()
    until(lambda: not calls.busy)
