"""The causal network as it is trained: it computes what plays."""

import dataclasses

import numpy as np
import pytest
from requirements import require_package
from streaming import separate

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS

require_package("torch", "train")

import torch
from causal_networks import save_weights
from torch_runtime import TorchRuntime

from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.separator import CausalSeparator
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.kinds import build_model
from stream_sep.training.validation import separate_whole


@pytest.mark.parametrize("conv_channels", [0, 4])
@pytest.mark.parametrize("lookahead", [0, 3])
def test_model_in_training_computes_what_plays(tmp_path, lookahead, conv_channels):
    size = dataclasses.replace(SIZES["tiny"], lookahead=lookahead, conv_channels=conv_channels)
    torch.manual_seed(0)
    model = CausalTrainingModel(size)
    save_weights(model.network, tmp_path / "w.safetensors")
    mix = 0.1 * np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    played = separate(CausalSeparator(TorchRuntime(tmp_path / "w.safetensors")), mix)
    with torch.no_grad():
        trained = separate_whole(model, torch.from_numpy(mix)).numpy()
    for number, stem in enumerate(STEMS):
        assert np.abs(played[stem] - trained[number]).max() < 1e-5, stem


@pytest.mark.parametrize("conv_channels", [0, 4])
@pytest.mark.parametrize(("blocks", "inference_hop"), [(1, 32), (2, 16), (3, 16), (3, 8)])
def test_model_trained_for_shorter_hops_computes_what_plays_in_them(tmp_path, blocks, inference_hop, conv_channels):
    size = dataclasses.replace(SIZES["tiny"], blocks=blocks, conv_channels=conv_channels)
    torch.manual_seed(0)
    model = CausalTrainingModel(size, inference_hop=inference_hop)
    save_weights(model.network, tmp_path / "w.safetensors")
    mix = 0.1 * np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    played = separate(CausalSeparator(TorchRuntime(tmp_path / "w.safetensors"), hop=inference_hop), mix)
    with torch.no_grad():
        trained = separate_whole(model, torch.from_numpy(mix)).numpy()
    for number, stem in enumerate(STEMS):
        assert np.abs(played[stem] - trained[number]).max() < 1e-5, stem


@pytest.mark.parametrize(("lookahead", "inference_hop"), [(0, 48), (0, 128), (3, 32)])
def test_model_rejects_hops_that_it_cannot_play(lookahead, inference_hop):
    with pytest.raises(ConfigError, match="cannot be played in hops"):
        CausalTrainingModel(dataclasses.replace(SIZES["tiny"], lookahead=lookahead), inference_hop=inference_hop)
    with pytest.raises(ConfigError, match="leave out inference_hop"):
        build_model("hs-tasnet", {}, inference_hop)


def test_model_with_carried_state_equals_one_long_input():
    torch.manual_seed(0)
    model = CausalTrainingModel(SIZES["tiny"])
    hop, past = model.hop, model.context_frames
    mix = torch.randn(1, 2, past + 20 * hop) * 0.1
    whole, _ = model.separate(mix, model.initial_state(1))
    first, memory = model.separate(mix[..., : past + 10 * hop], model.initial_state(1))
    second, _ = model.separate(mix[..., 10 * hop :], memory)
    assert (whole[..., : 9 * hop] - first).abs().max() < 1e-5
    assert (whole[..., 10 * hop :] - second).abs().max() < 1e-5
