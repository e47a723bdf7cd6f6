"""Chains of effects behind copies of a mix, for all tests of effects."""

from pathlib import Path

import pytest
from effect_chains import HOP
from requirements import require

from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.separators.passthrough import PassthroughSeparator

ZAM = Path("/usr/lib/vst3")


class Copies(PassthroughSeparator):
    """Puts the mix on every stem."""

    def process(self, block):
        stems = super().process(block)
        stems[:] = stems[-1]
        return stems


@pytest.fixture
def vst3():
    """The path of one of zam-plugins' effects."""

    def find(name):
        path = ZAM / f"{name}.vst3"
        require(path.exists(), "needs: apt install zam-plugins")
        return str(path)

    return find


@pytest.fixture
def chain():
    """Build a separator whose stems are all the mix, with chains behind it; closed with the test."""
    made = []

    def build(chains=None, *, hop=HOP, reports=None, **options):
        report = (lambda _: None) if reports is None else reports.append
        made.append(ChainedSeparator(Copies(hop=hop), chains, report=report, **options))
        return made[-1]

    yield build
    for separator in made:
        separator.close()
