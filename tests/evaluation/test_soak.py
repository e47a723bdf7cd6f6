"""The soak in its short form: everything happens to a live engine, and nothing is left over."""

import os
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from stream_sep.cli import bench
from stream_sep.evaluation.soak import Sample, SoakReport, soak

IDLE = SoakReport(
    seconds=3600,
    moves=36000,
    kills=59,
    restarts=59,
    hops=300_000,
    late_hops=8000,
    dry_seconds=90.0,
    behind_seconds=0.1,
    callback_us=(12.0, 60.0, 900.0),
    errors={"xruns": 0, "bad_input": 0},
    samples=tuple(Sample(60.0 * n, 338.0 + 0.01 * n, 190.0, 40, 12) for n in range(61)),
)
"""As of an hour on an idle machine."""


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX kills")
def test_short_soak_loses_and_leaks_nothing():
    report = soak(16.0, "bands", kill_every=5.0)
    assert report.kills >= 2
    assert report.restarts == report.kills
    assert report.moves > 30
    assert report.leaks() == {"files": 0, "threads": 0}
    assert report.errors["nonfinite_hops"] == report.errors["bad_input"] == report.errors["record_dropped"] == 0
    assert report.figures()["separator killed"] == report.kills


def test_growth_is_a_slope_and_leaks_are_differences_once_it_has_warmed_up():
    samples = tuple(Sample(60.0 * n, 100.0 + n, 50.0, 10 + (n > 50), 5) for n in range(61))
    report = replace(IDLE, samples=samples)
    assert report.growth_mb_per_hour() == pytest.approx(60)
    assert report.leaks() == {"files": 1, "threads": 0}


def test_hour_on_an_idle_machine_is_within_the_limits():
    assert IDLE.violations() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"restarts": 58}, "58 restarts after 59 kills"),
        ({"dry_seconds": 379.1}, "379.1 s without stems, at most 180.6 with 59 kills"),
        (
            {"dry_seconds": 90.0, "kills": 0, "restarts": 0, "late_hops": 0},
            "90.0 s without stems, at most 3.6 with 0",
        ),
        ({"late_hops": 64641}, "17.7 % of the hops late, at most 5.0 % with 59 kills"),
        ({"errors": {"xruns": 0, "nonfinite_hops": 2}}, "2 nonfinite_hops"),
        ({"samples": (*IDLE.samples, replace(IDLE.samples[-1], files=41))}, "1 more files at the end"),
        (
            {"samples": tuple(Sample(60.0 * n, 338.0 + n, 190.0, 40, 12) for n in range(61))},
            "memory grows by 60 MB per hour, at most 20",
        ),
    ],
)
def test_run_beyond_a_limit_is_a_failure(changes, message):
    (violation,) = replace(IDLE, **changes).violations()
    assert violation.startswith(message)


def test_short_run_may_grow_as_it_warms_up():
    samples = tuple(Sample(float(n), 338.0 + 0.05 * n, 190.0, 40, 12) for n in range(17))
    assert (
        replace(IDLE, seconds=16, kills=1, restarts=1, dry_seconds=1, late_hops=9, samples=samples).violations() == []
    )


@pytest.mark.parametrize(("report", "code"), [(IDLE, 0), (replace(IDLE, dry_seconds=400.0), 1)])
def test_command_fails_beyond_a_limit(monkeypatch, report, code):
    monkeypatch.setattr("stream_sep.evaluation.soak.soak", lambda *_arguments, **_options: report)
    received = CliRunner().invoke(bench.app, ["soak"])
    assert received.exit_code == code, received.output
    assert ("400.0 s without stems" in received.output) == bool(code)
