"""The soak in its short form: everything happens to a live engine, and nothing is left over."""

import os

import pytest

from stream_sep.evaluation.soak import Sample, SoakReport, soak


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
    report = SoakReport(3600, 1, 0, 0, 0, 0.0, 0.0, (1.0, 2.0, 3.0), {}, samples)
    assert report.growth_mb_per_hour() == pytest.approx(60)
    assert report.leaks() == {"files": 1, "threads": 0}
