"""Networks with random weights, for all tests of causal networks."""

import pytest


@pytest.fixture
def weights(tiny_weights):
    """The folder of `tiny_weights`."""
    return tiny_weights()
