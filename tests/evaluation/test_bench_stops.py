"""The benchmark of signals: real commands end in order, and one that does not is counted."""

import os

import pytest

from stream_sep.errors import ConfigError
from stream_sep.evaluation import bench_stops
from stream_sep.evaluation.bench_stops import Stop, figures, measure_stops

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def test_demo_ends_in_order_after_each_signal():
    stops = measure_stops("demo", 2, longest=4.0)
    assert [(stop.code, stop.is_right) for stop in stops] == [(130, True), (143, True)], stops
    assert figures(stops)["wrong exit codes or tracebacks"] == 0


@pytest.mark.parametrize(
    ("code", "printed", "is_right"), [(130, "", True), (1, "", False), (-9, "", False), (130, "Traceback", False)]
)
def test_wrong_exit_code_or_traceback_is_counted(code, printed, is_right):
    stop = Stop(2.0, 0.1, code, 130, printed)
    assert stop.is_right == is_right
    assert figures([stop])["wrong exit codes or tracebacks"] == (not is_right)


def test_command_that_ignores_the_signal_is_killed_and_counted(monkeypatch):
    monkeypatch.setattr(bench_stops, "_PATIENCE", 0.2)
    monkeypatch.setattr(bench_stops, "stop_signals", lambda: [0])  # which ends nothing
    (stop,) = measure_stops("demo", 1, longest=1.1)
    assert not stop.is_right
    assert stop.code == -9


def test_unknown_command_is_refused():
    with pytest.raises(ConfigError, match="demo and live, not of 'play'"):
        measure_stops("play")
