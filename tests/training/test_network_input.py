"""The input of networks in training: torch, for GPUs, measures what the compiled code does."""

import dataclasses

import numpy as np
import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.separators.causal.config import SIZES
from stream_sep.training import causal
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.network_input import CompiledInput, TorchInput, open_input


def spectra_of(size, sounds):
    """Windowed spectra of mid and side, complex64 ``(batch, hops, 2, bins)``."""
    frames = torch.from_numpy(sounds).unfold(-1, size.window, size.hop) * torch.hann_window(size.window)
    return torch.fft.rfft(frames).transpose(1, 2).contiguous()


def music(frames):
    """Three mixes: a beat and a chord with a melody on one side, noise with silence in it, and silence."""
    at = np.arange(frames) / 44100
    chord = sum(np.sin(2 * np.pi * pitch * at) / (1 + number) for number, pitch in enumerate((110, 220, 331, 442)))
    beat = np.random.default_rng(1).standard_normal(frames) * np.exp(-((at * 4) % 1) * 30)
    melody = np.sin(2 * np.pi * (600 + 40 * np.sin(9 * at)) * at) * (at % 0.3 < 0.2)
    noise = np.random.default_rng(2).standard_normal((2, frames)) * (np.abs(at - at[-1] / 2) > at[-1] / 8)
    return np.stack([[chord + beat, 0.3 * melody], 0.01 * noise, 0 * noise]).astype(np.float32)


@pytest.mark.parametrize("hop", [0, 256], ids=["own hop", "shorter hops"])
@pytest.mark.parametrize("cuts", [(), (6,), (2, 4, 60)], ids=str)
def test_torch_measures_what_the_compiled_code_does(hop, cuts):
    size = SIZES["live"]
    played = size.with_hop(hop) if hop else size
    turns = size.hop // played.hop
    spectra = spectra_of(played, music(size.window + 69 * played.hop))
    compiled, in_torch = CompiledInput(size, played), TorchInput(size, played)
    expected = compiled.measure(spectra, turns, compiled.initial_state(3))
    state, measured = in_torch.initial_state(3), []
    for part in np.split(np.arange(spectra.shape[1]), cuts):
        *both, state = in_torch.measure(spectra[:, part], turns, state)
        measured.append(both)
    features, prior = (torch.cat(parts, dim=1) for parts in zip(*measured, strict=True))
    assert torch.allclose(features, expected[0], atol=2e-6)
    assert torch.allclose(prior, expected[1], atol=1e-4)
    assert prior.std() > 0.5


@pytest.mark.parametrize(("lookahead", "inference_hop"), [(0, 0), (3, 0), (0, 16)])
def test_network_separates_alike_with_both(monkeypatch, lookahead, inference_hop):
    size = dataclasses.replace(SIZES["tiny"], lookahead=lookahead)
    torch.manual_seed(0)
    model = CausalTrainingModel(size, inference_hop=inference_hop)
    mix = 0.1 * torch.randn(2, 2, 5000 - 5000 % size.hop + model.context_frames)
    with torch.no_grad():
        expected, after = model.separate(mix, model.initial_state(2))
        again, _ = model.separate(mix, after)
        monkeypatch.setattr(causal, "open_input", lambda size, played, _: TorchInput(size, played))
        model._inputs = None
        separated, after = model.separate(mix, model.initial_state(2))
        assert (separated - expected).abs().max() < 1e-5
        assert (model.separate(mix, after)[0] - again).abs().max() < 1e-5


def test_gpus_measure_in_torch(monkeypatch):
    monkeypatch.setattr(TorchInput, "to", lambda self, _: self)
    size = SIZES["tiny"]
    assert isinstance(open_input(size, size, torch.device("cuda", 0)), TorchInput)
    assert isinstance(open_input(size, size, torch.device("cpu")), CompiledInput)
