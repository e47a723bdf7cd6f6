"""Augmentation: every effect changes stems, within its range, and none leaves its place."""

import dataclasses

import pytest
from requirements import require_package

require_package("torch", "train")

import torch
from tiny_training import QUIET, random

from stream_sep.training.augmentation import Augmenter


def test_augmenter_with_no_probability_changes_nothing():
    stems = torch.randn(3, 4, 2, 5000)
    assert torch.equal(Augmenter(QUIET, random()).augment(stems), stems)


@pytest.mark.parametrize(
    "effect",
    [
        "tone",
        "swap",
        "flip",
        "width",
        "pan",
        "saturation",
        "reverb",
        "compress",
        "bus_compression",
        "lowpass",
        "mono",
        "single_side",
    ],
)
def test_every_effect_changes_stems_and_stays_finite(effect):
    stems = 0.1 * torch.randn(3, 4, 2, 20000, generator=random(1))
    stems[0, 1] = 0
    config = dataclasses.replace(QUIET, **{effect: 1.0}, tone_db=6.0)
    changed = Augmenter(config, random()).augment(stems)
    assert changed.shape == stems.shape
    assert torch.isfinite(changed).all()
    assert not torch.equal(changed[1:], stems[1:])
    assert not changed[0, 1].any()


def test_mixup_blends_mixes_with_their_stems_and_keeps_others():
    stems = torch.randn(400, 4, 2, 8, generator=random(1))
    config = dataclasses.replace(QUIET, mixup=0.5, mixup_alpha=0.4)
    blended = Augmenter(config, random()).augment(stems)
    other = stems.roll(1, dims=0)
    share = ((blended - other) * (stems - other)).sum(dim=(1, 2, 3)) / (stems - other).square().sum(dim=(1, 2, 3))
    assert torch.allclose(blended, torch.lerp(other, stems, share[:, None, None, None]), atol=1e-4)
    mixed = share[share < 0.9999]
    assert 0.4 < len(mixed) / 400 < 0.6
    assert abs(float(mixed.mean()) - 0.5) < 0.1
    assert float(mixed.std()) == pytest.approx((0.25 / 1.8) ** 0.5, abs=0.05)


def test_gain_stays_within_its_range():
    ones = torch.ones(500, 1, 2, 4)
    gains = 20 * torch.log10(Augmenter(dataclasses.replace(QUIET, gain_db=6.0), random()).augment(ones)[:, 0, 0, 0])
    assert -6.01 < gains.min() < -5
    assert 5 < gains.max() < 6.01
