"""What a network is trained towards: true stems and teachers."""

import dataclasses

import pytest
from requirements import require_package

require_package("torch", "train")

import torch
from tiny_training import random, taught, weights

from stream_sep.training.data.cache import RATE
from stream_sep.training.kinds import build_model
from stream_sep.training.objective import Objective, without_bleed
from stream_sep.training.trainer import Trainer


def test_network_trained_on_teachers_alone_approaches_their_output(home, tmp_path):
    """With no other target, a network's output approaches that of its teachers, whatever the true stems are."""
    trainer = Trainer(taught(home, steps=60, share=1.0), tmp_path / "out", device="cpu")
    mix = 0.1 * torch.randn(2, 2, trainer.model.context_frames + 40 * trainer.model.hop, generator=random(3))

    def relative_error():
        with torch.no_grad():
            estimates = trainer.model.separate(mix, trainer.model.initial_state(2))[0]
            targets = trainer._objective._teachers.separate(mix, trainer._objective._teachers.initial_state(2))[0]
        return float((estimates - targets).square().sum() / targets.square().sum())

    before = relative_error()
    kept = {name: value.clone() for name, value in trainer._objective._teachers.state_dict().items()}
    trainer.run(lambda _text: None)
    assert relative_error() < 0.5 * before
    assert all(torch.equal(value, kept[name]) for name, value in trainer._objective._teachers.state_dict().items())


def test_network_of_short_hops_is_compared_at_the_frames_of_its_teachers_and_stems(home):
    plain = taught(home)
    plan = dataclasses.replace(
        plain, training=dataclasses.replace(plain.training, inference_hop=16, burn_in_seconds=0.01)
    )
    model = build_model("causal", {"size": "tiny"}, 16)
    objective = Objective(plan, model, torch.device("cpu"), is_half=False)
    assert objective._teachers.first_output_frame < model.first_output_frame
    calls = []

    def record(estimates, targets, _max_hz):
        calls.append((estimates, targets))
        return torch.zeros(())

    def counted(one):
        separate = one.separate

        def count(mix, state):
            stems, after = separate(mix, state)
            return (one.first_output_frame + torch.arange(stems.shape[-1])).expand(stems.shape), after

        return count

    objective._loss, model.separate = record, counted(model)
    objective._teachers.separate = counted(objective._teachers)
    frames = model.context_frames + 20 * model.hop
    objective.loss(torch.arange(frames).float().expand(2, 4, 2, frames), carry_state=False)
    assert len(calls) == 2
    for estimates, targets in calls:
        assert torch.equal(estimates, targets)
        assert float(estimates[0, 0, 0, 0]) == model.first_output_frame + int(0.01 * RATE)
        assert estimates.shape[-1] > 10 * model.hop


def test_distillation_resumed_after_a_stop_ends_as_an_unbroken_one(home, tmp_path):
    whole = Trainer(taught(home), tmp_path / "whole", device="cpu")
    whole.run(lambda _text: None)
    for stop_at in (3, 6):
        halves = Trainer(taught(home), tmp_path / "halves", device="cpu")
        halves.run(lambda _text: None, lambda halves=halves, stop_at=stop_at: halves.step >= stop_at)
    assert all(torch.equal(value, weights(halves)[name]) for name, value in weights(whole).items())


def test_bleed_of_teachers_into_a_silent_stem_is_no_target():
    taught_stems = torch.ones(2, 4, 2, 8)
    stems = torch.zeros(2, 4, 2, 8)
    stems[0, 1, :, 3], stems[1] = 0.5, 1.0
    targets = without_bleed(taught_stems, stems)
    assert targets[0].amax(dim=(1, 2)).tolist() == [0, 1, 0, 0]
    assert torch.equal(targets[1], taught_stems[1])


@pytest.mark.parametrize("suppress", [False, True])
def test_objective_suppresses_bleed_only_where_it_is_configured(home, suppress):
    plan = taught(home, share=1.0)
    plan = dataclasses.replace(plan, teach=dataclasses.replace(plan.teach, suppress_bleed=suppress))
    model = build_model("causal", {"size": "tiny"})
    objective = Objective(plan, model, torch.device("cpu"), is_half=False)
    targets = []
    objective._loss = lambda _estimates, target, _max_hz: targets.append(target) or torch.zeros(())
    stems = 0.1 * torch.randn(2, 4, 2, objective.context_frames + 40 * model.hop, generator=random(3))
    stems[:, 0] = 0.0
    objective.loss(stems, carry_state=False)
    assert (targets[1][:, 0].abs().amax() == 0) == suppress
    assert targets[1][:, 1].abs().amax() > 0
