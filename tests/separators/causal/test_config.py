"""Sizes of causal networks and their latencies."""

import pytest

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.config import SIZES, config_from
from stream_sep.separators.causal.separator import MAX_LATENCY_MS


@pytest.mark.parametrize("name", MAX_LATENCY_MS)
def test_size_has_at_most_the_latency_of_its_name(name):
    assert 1000 * SIZES[name].algorithmic_latency / 44100 <= MAX_LATENCY_MS[name]


def test_live_is_at_most_23_milliseconds_and_instant_at_most_6():
    assert (MAX_LATENCY_MS["live"], MAX_LATENCY_MS["instant"]) == (23, 6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": "huge"}, "unknown network size 'huge'"),
        ({"widht": 3}, "unknown network setting 'widht'"),
        ({"width": 1.5}, "whole number"),
        ({"fade": 600}, "does not fit"),
        ({"window": 1000}, "power of two"),
        ({"blocks": 0}, "positive"),
    ],
)
def test_invalid_size_is_rejected(values, words):
    with pytest.raises(ConfigError, match=words):
        config_from(values)
