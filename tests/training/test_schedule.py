"""Learning rates at the steps where they are known."""

import pytest

from stream_sep.errors import ConfigError
from stream_sep.training.schedule import check_schedule, cosine, warmup_poly


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 3.12e-8), (31_999, 9.9997e-4), (32_000, 1e-3), (96_000, 5.0e-4), (160_000, 1e-7), (10**6, 1e-7)],
)
def test_the_rate_rises_along_a_line_and_falls_along_another(step, rate):
    assert warmup_poly(step, 1e-3, 32_000, 128_000) == pytest.approx(rate, rel=0.01)


def test_a_higher_power_falls_sooner():
    rates = [warmup_poly(50, 1.0, 0, 100, power) for power in (0.5, 1.0, 2.0)]
    assert rates == sorted(rates, reverse=True)


def test_the_cosine_rises_to_the_highest_rate_and_falls_to_nothing():
    rates = [cosine(step / 100, 0.1) for step in range(101)]
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.0)


def test_schedules_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="unknown schedule 'step'"):
        check_schedule("step", 1)
    with pytest.raises(ConfigError, match="decay_steps of at least 1"):
        check_schedule("warmup-poly", 0)
