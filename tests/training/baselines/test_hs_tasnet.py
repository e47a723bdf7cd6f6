"""The baseline HS-TasNet."""

import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.training.baselines.hs_tasnet import HsTasnet


@pytest.mark.parametrize("small", [True, False])
def test_network_in_two_calls_equals_one_call(small):
    torch.manual_seed(0)
    network = HsTasnet(small=small, hidden=16, basis=12)
    mix = torch.randn(2, 2, network.context_frames + 12 * 512) * 0.1
    whole, _ = network.separate(mix, network.initial_state(2))
    first, memory = network.separate(mix[..., : network.context_frames + 6 * 512], network.initial_state(2))
    second, _ = network.separate(mix[..., 6 * 512 :], memory)
    assert (whole[..., : 5 * 512] - first).abs().max() < 1e-5
    assert (whole[..., 6 * 512 :] - second).abs().max() < 1e-5


def test_network_has_as_many_parameters_as_the_released_one():
    millions = [sum(part.numel() for part in HsTasnet(small=small).parameters()) / 1e6 for small in (True, False)]
    assert millions[1] == pytest.approx(
        50.16, abs=0.01
    )  # as an analysis of the released weights counted, but for a bias
    assert millions[0] < 30
