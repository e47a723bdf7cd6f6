"""Dropout: the inputs and outputs dropped in training, and none afterwards."""

import dataclasses

import pytest
from requirements import require_package

from stream_sep.errors import ConfigError

require_package("torch", "train")

import torch
from tiny_training import config, random, train, weights

from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.features import FEATURES
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.dropout import Dropout
from stream_sep.training.trainer import Trainer


def dropping(dropout=0.0, input_dropout=0.0):
    """A network with dropout, and inputs of 3 x 40 hops for it."""
    torch.manual_seed(0)
    network = CausalTrainingModel(dataclasses.replace(SIZES["tiny"], blocks=2)).network
    Dropout(network, dropout, input_dropout, random(7))
    shape = (3, 40, FEATURES + PRIOR_CHANNELS, network.plan.points)
    inputs = torch.randn(shape, generator=random(1)).split([FEATURES, PRIOR_CHANNELS], dim=2)
    return network, (*inputs, network.initial_state(3))


@pytest.mark.parametrize("shares", [{"dropout": 0.3}, {"input_dropout": 0.3}])
def test_dropout_acts_in_training_only(shares):
    network, inputs = dropping(**shares)
    whole, _ = dropping()
    with torch.no_grad():
        received = whole(*inputs)[0]
        assert torch.equal(network.eval()(*inputs)[0], received)
        first, second = network.train()(*inputs)[0], network(*inputs)[0]
        again, _ = dropping(**shares)
        assert torch.equal(again.train()(*inputs)[0], first)
    assert not torch.equal(first, second)
    assert not torch.equal(first, received)
    assert list(network.state_dict()) == list(whole.state_dict())


def test_input_dropout_leaves_out_a_row_for_a_whole_mix_and_scales_the_rest():
    network, inputs = dropping(input_dropout=0.25)
    seen = []
    network.register_forward_pre_hook(lambda _, x: seen.append(x))
    network.train()(*inputs)
    ratio = torch.cat(seen[0][:2], dim=2) / torch.cat(inputs[:2], dim=2)
    rows = ratio.reshape(3, 40, FEATURES + PRIOR_CHANNELS, network.plan.bands, -1).transpose(1, 3).flatten(3)
    assert torch.allclose(rows, rows[..., :1].expand_as(rows))
    shares = rows[..., 0]
    assert set(shares.unique().mul(3).round().tolist()) == {0.0, 4.0}
    assert 0.15 < float((shares == 0).float().mean()) < 0.35


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    network, inputs = dropping(dropout=0.25)
    seen = []
    for block in network.blocks:
        block.narrow.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    network.train()(*inputs)
    for worked in seen:
        assert abs(float((worked == 0).float().mean()) - 0.25) < 0.02
    network, inputs = dropping(dropout=0.25)
    ones = torch.ones(200, 100)
    kept = [hook(network.train(), (ones,))[0] for hook in network.blocks[0]._forward_pre_hooks.values()]
    assert len(kept) == 1
    assert abs(float(kept[0].mean()) - 1) < 0.02


def test_dropout_after_a_resume_draws_as_without_a_stop(home, tmp_path):
    plain = config(home, steps=6)
    plan = dataclasses.replace(plain, training=dataclasses.replace(plain.training, dropout=0.2, input_dropout=0.2))
    ended = []
    for name, stops in (("whole", [6]), ("halves", [3, 6])):
        for stop_at in stops:
            trainer = Trainer(plan, tmp_path / name, device="cpu")
            trainer.run(lambda _text: None, lambda trainer=trainer, stop_at=stop_at: trainer.step >= stop_at)
        ended.append(weights(trainer))
    assert all(torch.equal(value, ended[1][name]) for name, value in ended[0].items())
    without, _ = train(home, tmp_path / "without")
    assert not all(torch.equal(value, ended[0][name]) for name, value in weights(without).items())


def test_dropout_of_everything_or_of_another_network_is_rejected(home, tmp_path):
    plain = config(home)
    with pytest.raises(ConfigError, match="below 1"):
        dataclasses.replace(plain, training=dataclasses.replace(plain.training, input_dropout=1.0))
    training = dataclasses.replace(plain.training, dropout=0.1)
    other = dataclasses.replace(plain, training=training, network={"kind": "hs-tasnet", "hidden": 16, "basis": 12})
    with pytest.raises(ConfigError, match="have no dropout"):
        Trainer(other, tmp_path / "out", device="cpu")
