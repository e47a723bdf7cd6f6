"""The frame transformer as it plays: as it was trained, in blocks as hop by hop, for any groups, bounded."""

import dataclasses

import numpy as np
import pytest
from requirements import require_package
from streaming import separate

from stream_sep.errors import SeparatorError
from stream_sep.separators import load_separator
from stream_sep.separators.frame_transformer.config import SIZES
from stream_sep.separators.frame_transformer.masks import project_prior, share_matrix, softmax
from stream_sep.separators.source_groups import FOUR, PRESETS, SourceGroups

require_package("torch", "train")

import torch

from stream_sep.training.causal import project_priors
from stream_sep.training.kinds import build_model, save_weights
from stream_sep.training.validation import separate_whole

RATE = 44100


def music(frames, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)


def trained(path, groups=FOUR, **table):
    """A model with random weights, none of them zero, and the separator that plays its file."""
    torch.manual_seed(0)
    model = build_model("frame-transformer", {"size": "tiny", **table}, groups=groups)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape) * 0.2)
    save_weights("frame-transformer", model, path / "w.safetensors", {}, groups)
    return model.eval(), load_separator(str(path / "w.safetensors"))


@pytest.mark.parametrize("table", [{}, {"lookahead": 3}, {"hints": False}, {"complex": False}])
@pytest.mark.parametrize("groups", ["four", "drums-no_drums", "band"])
def test_what_is_trained_is_what_plays(tmp_path, groups, table):
    model, separator = trained(tmp_path, SourceGroups.preset(groups), **table)
    mix = music(5000)
    played = separate(separator, mix)
    with torch.no_grad():
        expected = separate_whole(model, torch.from_numpy(mix)).numpy()
    assert tuple(played) == model.stems
    for number, stem in enumerate(model.stems):
        assert np.abs(played[stem] - expected[number]).max() < 1e-5, stem


def test_what_is_trained_plays_at_the_size_that_is_shipped(tmp_path):
    """Where the fade is shorter than a hop, the whole is cut into hops a little earlier, so they are lined up."""
    table = {"hop": 512, "fade": 448, "window": 4096, "points": 12}
    model, separator = trained(tmp_path, **table)
    frames = 3 * RATE
    mix = music(frames)
    offset = 512 - 448
    hops = np.pad(mix, ((0, 0), (0, -frames % 512 + 1024)))
    out = np.concatenate(
        [separator.process(hops[:, at : at + 512]).copy() for at in range(0, hops.shape[1], 512)], axis=2
    )
    with torch.no_grad():
        before = torch.nn.functional.pad(torch.from_numpy(hops), (model.context_frames, 512))
        expected, _ = model.separate(before[None], model.initial_state(1))
    start = model.context_frames - model.first_output_frame
    assert start == -offset
    played = out[..., 448 + offset :]
    count = min(played.shape[2], expected.shape[3]) - 1024
    assert np.abs(played[..., :count] - expected[0, ..., :count].numpy()).max() < 1e-4


@pytest.mark.parametrize("lookahead", [0, 3])
def test_blocks_of_hops_give_what_single_hops_give(tmp_path, lookahead):
    _, separator = trained(tmp_path, lookahead=lookahead)
    mix = music(150 * 64)
    single = np.concatenate(
        [separator.process(mix[:, at : at + 64]).copy() for at in range(0, mix.shape[1], 64)], axis=2
    )
    separator.reset()
    mixed = [separator.process(mix[:, :64]).copy(), separator.process_many(mix[:, 64 : 64 * 100]).copy()]
    mixed += [separator.process(mix[:, 64 * 100 : 64 * 101]).copy(), separator.process_many(mix[:, 64 * 101 :])]
    assert np.abs(np.concatenate(mixed, axis=2) - single).max() < 1e-5


def test_what_is_no_number_is_gone_after_it_has_passed(tmp_path):
    _, separator = trained(tmp_path)
    mix = music(64 * 200)
    broken, silent = mix.copy(), mix.copy()
    broken[:, 700:703], silent[:, 700:703] = np.array([np.nan, np.inf, -np.inf], np.float32), 0.0
    outputs = []
    for each in (broken, silent):
        separator.reset()
        outputs.append(separator.process_many(each))
        separator.reset()
        outputs.append(
            np.concatenate([separator.process(part).copy() for part in np.split(each, 200, axis=1)], axis=2)
        )
    assert np.isfinite(outputs[0]).all()
    assert np.array_equal(outputs[0], outputs[2])
    assert np.array_equal(outputs[1], outputs[3])


def test_a_network_of_the_whole_plays_in_windows_with_their_latency(tmp_path):
    _, separator = trained(tmp_path, form="whole", span=7)
    separator = load_separator(str(tmp_path / "w.safetensors"), window_seconds=0.5)
    mix = music(2 * RATE)
    stems = separate(separator, mix)
    assert np.abs(sum(stems.values()) - mix).max() < 1e-5
    assert separator.latency < 0.25 * RATE
    assert all(np.abs(stem).max() > 0 for stem in stems.values())


@pytest.mark.parametrize("name", PRESETS)
def test_prior_logits_of_groups_are_the_shares_of_their_stems(name):
    groups = SourceGroups.preset(name)
    prior = np.random.default_rng(0).standard_normal((3, 12, 5)).astype(np.float32) * 3
    shares = share_matrix(groups)
    logits = project_prior(prior, shares)
    likely = softmax(np.pad(prior[:, :6].reshape(3, 2, 3, 5), ((0, 0), (0, 0), (0, 1), (0, 0))))
    grouped = softmax(np.pad(logits, ((0, 0), (0, 0), (0, 1), (0, 0))))
    expected = likely if shares is None else np.einsum("gs,hpsk->hpgk", shares, likely)
    assert np.abs(grouped - expected).max() < 1e-4
    tensor = None if shares is None else torch.from_numpy(shares)
    assert np.abs(project_priors(torch.from_numpy(prior)[None], tensor)[0].numpy() - logits).max() < 1e-4


def test_a_file_of_other_sizes_names_what_does_not_fit(tmp_path):
    from safetensors.torch import load  # noqa: PLC0415 - as above

    from stream_sep.separators.weight_file import read_metadata, with_digest  # noqa: PLC0415 - only here

    trained(tmp_path)
    notes, data = read_metadata(tmp_path / "w.safetensors")
    tensors = load(data)
    tensors["hidden.weight"] = tensors["hidden.weight"][:1]
    notes.pop("sha256")
    (tmp_path / "w.safetensors").write_bytes(with_digest(tensors, notes))
    with pytest.raises(SeparatorError, match=r"do not fit its sizes.*hidden\.weight"):
        load_separator(str(tmp_path / "w.safetensors"))
    assert dataclasses.asdict(SIZES["tiny"])["hop"] == 64
