import threading
import time

import pytest

from stream_sep.files.ordered_pool import ordered_map


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_calls_whichever_ends_first(threads):
    tasks = ((number, lambda number=number: time.sleep(0.02 * (number % 3 == 0)) or -number) for number in range(12))
    assert list(ordered_map(tasks, threads)) == [(number, -number) for number in range(12)]


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_calls_are_taken_ahead_than_there_are_threads_and_one(threads):
    taken = []

    def tasks():
        for number in range(10):
            taken.append(number)
            yield number, lambda: None

    for number, _ in ordered_map(tasks(), threads):
        assert len(taken) <= number + threads + (threads > 1)


def test_calls_really_run_at_once():
    both = threading.Barrier(2, timeout=90)
    assert len(list(ordered_map(((number, both.wait) for number in range(4)), 2))) == 4


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_in_its_turn(threads):
    reading = ordered_map([("fine", lambda: 1), ("bad", lambda: 1 // 0), ("late", lambda: 2)], threads)
    assert next(reading) == ("fine", 1)
    with pytest.raises(ZeroDivisionError):
        next(reading)


def test_every_thread_is_prepared_before_its_first_call():
    prepared = threading.local()
    tasks = [(number, lambda: prepared.done) for number in range(6)]
    assert all(done for _, done in ordered_map(tasks, 3, lambda: setattr(prepared, "done", True)))


@pytest.mark.parametrize(("calls", "threads", "left_over"), [(1, 2, 0), (4, 2, None), (5, 2, 4), (7, 3, 6)])
def test_leftover_last_call_is_marked_as_such(calls, threads, left_over):
    here = threading.local()
    tasks = [(number, lambda: getattr(here, "before_last", False)) for number in range(calls)]
    received = [
        number
        for number, before_last in ordered_map(tasks, threads, before_last=lambda: setattr(here, "before_last", True))
        if before_last
    ]
    assert received == ([] if left_over is None else [left_over])
