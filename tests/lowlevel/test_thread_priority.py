"""Sound goes before separators, separators before all else, where the system allows it; where not, nothing fails."""

import os
import threading
import time
from dataclasses import replace

import pytest

from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.backends.portaudio import PortAudioBackend
from stream_sep.lowlevel.thread_priority import raise_audio_priority, raise_worker_priority, thread_ids
from stream_sep.separators.passthrough import PassthroughSeparator

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="needs the schedulers of Linux")


def on_a_thread(task):
    """Return the result of ``task`` on a new thread, whose priority ends with it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(task()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def allowed():
    """Skip where the system gives no real-time priority, as to users it does not trust with it."""

    def is_permitted():
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except OSError:
            return False
        return True

    if not on_a_thread(is_permitted):
        pytest.skip("this user may not have real-time priority")


def scheduled(thread=0):
    """Return the scheduler of a thread, without the flag for its children, and its level."""
    return os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(thread).sched_priority


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(("busy", "expected"), [(0.1, (os.SCHED_RR, 1)), (0.6, (os.SCHED_RR, 1)), (0.7, (0, 0))])
def test_only_a_thread_that_leaves_time_to_others_is_real_time(busy, expected):
    assert on_a_thread(lambda: (raise_worker_priority(busy), scheduled())[1]) == expected
    assert scheduled() == (os.SCHED_OTHER, 0)


@pytest.mark.usefixtures("allowed")
def test_what_a_real_time_thread_starts_is_as_any_other():
    assert on_a_thread(lambda: (raise_worker_priority(0.1), on_a_thread(scheduled))[1]) == (os.SCHED_OTHER, 0)


@pytest.mark.usefixtures("allowed")
def test_sound_goes_before_separators():
    begun, done, levels = threading.Barrier(3), threading.Event(), []

    def wait(first):
        raise_worker_priority(0.1 if first else 0.9)
        begun.wait()
        done.wait()
        levels.append(scheduled()[1])

    before = thread_ids()
    threads = [threading.Thread(target=wait, args=(first,)) for first in (False, True)]
    for thread in threads:
        thread.start()
    begun.wait()
    raise_audio_priority(thread_ids() - before)
    done.set()
    for thread in threads:
        thread.join()
    assert sorted(levels) == [1, 2]  # the one that had real-time priority kept its own


def test_where_nothing_is_allowed_nothing_fails(monkeypatch):
    def refuse(*_):
        raise PermissionError("not for you")

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    raise_worker_priority(0.1)
    raise_audio_priority(thread_ids())
    assert scheduled() == (os.SCHED_OTHER, 0)


def test_a_thread_that_is_gone_is_passed_over():
    raise_audio_priority([on_a_thread(threading.get_native_id)])


@pytest.mark.slow
@pytest.mark.usefixtures("allowed")
def test_the_process_of_a_light_separator_is_real_time_and_the_engine_is_not():
    with Engine(PacedBackend(), EngineConfig(model="passthrough")) as engine:
        assert scheduled(engine.worker_pid) == (os.SCHED_RR, 1)
        assert scheduled() == (os.SCHED_OTHER, 0)


def load_waiting(*, sample_rate=44100):
    """A separator whose hops take twice their length, but no processor: as where others have it at the start."""
    separator = PassthroughSeparator(sample_rate=sample_rate, hop=441)
    process = separator.process
    separator.process = lambda block: (time.sleep(0.02), process(block))[1]
    return separator


@pytest.mark.slow
@pytest.mark.usefixtures("allowed")
def test_separator_that_starts_on_a_busy_machine_is_real_time_all_the_same():
    with Engine(PacedBackend(), EngineConfig(model=f"{__name__}:load_waiting")) as engine:
        assert scheduled(engine.worker_pid) == (os.SCHED_RR, 1)


@pytest.mark.usefixtures("portaudio_on_jack")
@pytest.mark.parametrize(("host_api", "raised"), [("ALSA", True), ("JACK", False)])
def test_the_thread_of_a_card_without_a_sound_server_goes_first(monkeypatch, host_api, raised):
    given = []
    monkeypatch.setattr("stream_sep.backends.portaudio.raise_audio_priority", given.append)
    backend = PortAudioBackend()
    backend._output = replace(backend._output, host_api=host_api)
    with Engine(backend, EngineConfig(model="passthrough", worker="thread", slack=2048)):
        assert bool(given) == raised
