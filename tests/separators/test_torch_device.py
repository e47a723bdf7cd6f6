"""Where torch computes: each model that runs in it takes a device, and refuses one that is absent."""

import sys

import numpy as np
import pytest
from noise import gaussian_noise
from requirements import require_package
from streaming import separate

from stream_sep.errors import ConfigError
from stream_sep.separators import load_separator
from stream_sep.separators.torch_device import prepare_torch

require_package("torch", "train")

import torch

MODELS = {
    "unet": {"weights": "random", "base": 2},
    "frame-transformer": {"weights": "random", "size": "tiny"},
}


@pytest.mark.parametrize("model", MODELS)
def test_device_that_is_absent_is_refused_with_those_that_are_here(model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"torch finds no device 'cuda:1' here; it has: (mps, )?cpu"):
        load_separator(model, device="cuda:1", **MODELS[model])
    with pytest.raises(ConfigError, match="at least 1 thread, not 0"):
        load_separator(model, threads=0, **MODELS[model])


@pytest.mark.parametrize("model", MODELS)
def test_network_and_its_input_are_moved_to_the_device(model, monkeypatch):
    """With the CPU under another name, as machines that run tests have no GPU."""
    moved = []
    place = torch.Tensor.to
    monkeypatch.setattr(torch.Tensor, "to", lambda it, *to, **more: moved.append(to) or place(it, *to, **more))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    separator = load_separator(model, device="cpu:0", **MODELS[model])
    loaded = len(moved)
    if hasattr(separator, "process_many"):
        separator.process_many(gaussian_noise(4 * separator.hop))
    else:
        separate(separator, gaussian_noise(2 * 44100))
    assert ("cpu:0",) in moved[loaded:]
    assert moved[0][0] == torch.device("cpu:0")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compares a CUDA GPU with the CPU")
@pytest.mark.parametrize("model", MODELS)
def test_stems_of_a_gpu_are_those_of_the_cpu(model):
    mix, stems = gaussian_noise(200_000), []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        stems.append(separate(load_separator(model, device=device, **MODELS[model]), mix))
    assert all(np.abs(stems[0][name] - stems[1][name]).max() < 1e-3 for name in stems[0])


def test_missing_torch_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"this model needs torch .*install.*\[train\]"):
        prepare_torch("cpu")
