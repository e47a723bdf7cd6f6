"""Losses: least at the true stems."""

import numpy as np
import pytest
from requirements import require_package

require_package("torch", "train")

import torch
from tiny_training import random

from stream_sep.training.data.cache import RATE
from stream_sep.training.losses import StemLoss


def test_energy_loss_is_the_score_and_falls_with_leaks_into_absent_stems():
    stems = torch.randn(2, 4, 2, 8000, generator=random())
    loss = StemLoss("energy", 0.0)
    error = 0.1 * torch.randn(stems.shape, generator=random(1))
    assert float(loss(stems + error, stems)) == pytest.approx(10 * np.log10(0.014 / 1.004), abs=0.1)
    stems[:, 0] = 0
    leaks = [float(loss(stems + torch.eye(4)[0][:, None, None] * level, stems)) for level in (0.3, 0.03, 0.0)]
    assert leaks == sorted(leaks, reverse=True)
    assert np.isfinite(leaks).all()


@pytest.mark.parametrize("kind", ["energy", "l1"])
def test_loss_with_a_limit_ignores_errors_above_it_in_that_mix_only(kind):
    t = torch.arange(20000) / RATE
    stems = 0.1 * torch.randn(2, 4, 2, len(t), generator=random())
    window = torch.hann_window(len(t))
    high, low = (0.1 * window * torch.sin(2 * torch.pi * hz * t) for hz in (9000.0, 5000.0))
    loss = StemLoss(kind, 1.0)
    limits = torch.tensor([7500.0, torch.inf])
    least = float(loss(stems, stems, limits))

    def added(sound, row):
        return float(loss(stems + torch.eye(2)[row][:, None, None, None] * sound, stems, limits)) - least

    assert added(high, row=1) > 50 * abs(added(high, row=0))
    assert added(low, row=0) > 0.5 * added(low, row=1)
    assert float(loss(stems + high, stems, torch.full((2,), torch.inf))) == float(loss(stems + high, stems))


@pytest.mark.parametrize("kind", ["energy", "l1"])
@pytest.mark.parametrize("spectral", [0.0, 1.0])
def test_every_loss_is_least_at_the_true_stems_and_its_gradient_leads_there(kind, spectral):
    stems = torch.randn(2, 4, 2, 8000, generator=random())
    estimate = (0.5 * stems + 0.1 * torch.randn(stems.shape, generator=random(2))).requires_grad_()
    loss = StemLoss(kind, spectral)
    value = loss(estimate, stems)
    value.backward()
    assert loss(stems, stems) < value
    assert (estimate.grad * (estimate - stems)).sum() > 0
