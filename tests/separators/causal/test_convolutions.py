"""The convolutions of a causal network: they stream, use no later hop, and are only there if configured."""

import dataclasses

import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.config import CONV_STATE_HOPS, SIZES, config_from
from stream_sep.separators.causal.convolutions import CausalConvolutions
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.network import CausalNetwork
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.teacher_ensemble import TeacherEnsemble

HYBRID = dataclasses.replace(SIZES["tiny"], blocks=2, conv_channels=5)


def network(size=HYBRID):
    torch.manual_seed(0)
    return CausalNetwork(size)


def inputs(net, batch=2, hops=40):
    random = torch.Generator().manual_seed(1)
    shapes = (batch, hops, FEATURES, net.plan.points), (batch, hops, PRIOR_CHANNELS, net.plan.points)
    return tuple(torch.randn(shape, generator=random) for shape in shapes)


@pytest.mark.parametrize("cut", [1, 3, 17])
def test_streamed_in_any_pieces_equals_whole(cut):
    net = network()
    features, prior = inputs(net)
    whole, after = net(features, prior, net.initial_state(2))
    state, parts = net.initial_state(2), []
    for at in range(0, features.shape[1], cut):
        part, state = net(features[:, at : at + cut], prior[:, at : at + cut], state)
        parts.append(part)
    assert (torch.cat(parts, dim=1) - whole).abs().max() < 1e-5
    assert [each.shape for each in state] == [each.shape for each in net.initial_state(2)]
    assert all((one - other).abs().max() < 1e-5 for one, other in zip(state, after, strict=True))


def test_no_output_has_a_gradient_from_a_later_hop():
    net = network()
    features, prior = (each.requires_grad_() for each in inputs(net, batch=1))
    net(features, prior, net.initial_state(1))[0][:, 20].square().sum().backward()
    for given in (features, prior):
        used = given.grad[0].abs().sum(dim=(1, 2))
        assert not used[21:].any()
        assert used[: 20 + 1].all()  # the GRU goes back to the first hop


def test_convolutions_go_back_as_far_as_their_state_and_no_further():
    torch.manual_seed(0)
    block = CausalConvolutions(3, 4, 10, outputs=2)
    x = torch.randn(1, 30, 3, 10, requires_grad=True)
    y, state = block(x, block.initial_state(1))
    assert y.shape == (1, 30, 2, 10)
    assert state.shape == (1, 4, CONV_STATE_HOPS, 10)
    y[:, 20].square().sum().backward()
    used = x.grad[0].abs().sum(dim=(1, 2)) > 0
    assert used.nonzero().flatten().tolist() == list(range(20 - CONV_STATE_HOPS, 21, 1))


def test_network_without_convolutions_is_what_it_was():
    plain, hybrid = network(SIZES["tiny"]), network(dataclasses.replace(SIZES["tiny"], conv_channels=5))
    assert not any("conv" in name for name in plain.state_dict())
    assert any("conv" in name for name in hybrid.state_dict())
    assert len(plain.initial_state()) == SIZES["tiny"].blocks
    assert len(hybrid.initial_state()) == SIZES["tiny"].blocks + 2


def test_every_weight_of_the_convolutions_is_trained():
    net = network()
    net(*inputs(net), net.initial_state(2))[0].square().mean().backward()
    for name, weights in net.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.any(), name


def test_channels_below_zero_are_refused():
    with pytest.raises(ConfigError, match="positive"):
        config_from({"size": "tiny", "conv_channels": -1})


def test_teachers_with_and_without_convolutions_are_one_ensemble():
    torch.manual_seed(0)
    models = [CausalTrainingModel(size) for size in (SIZES["tiny"], HYBRID)]
    together = TeacherEnsemble(models)
    mix = 0.1 * torch.randn(2, 2, together.context_frames + 10 * together.hop)
    with torch.no_grad():
        stems, state = together.separate(mix, together.initial_state(2))
        each = [model.separate(mix, model.initial_state(2))[0] for model in models]
    assert (each[0] - each[1]).abs().max() > 1e-3
    assert (stems - torch.stack(each).mean(dim=0)).abs().max() < 1e-5
    assert len(state) == len(together.initial_state(2))
