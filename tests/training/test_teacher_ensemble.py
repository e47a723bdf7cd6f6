"""Teachers: their mean, aligned, and which of them go together."""

import dataclasses
from pathlib import Path

import pytest
from requirements import require_package

from stream_sep.errors import ConfigError, SeparatorError

require_package("torch", "train")

import torch
from causal_networks import save_weights
from tiny_training import TINY, config, random, taught, teachers, weights

from stream_sep.separators.causal.bundled import bundled_weights
from stream_sep.separators.causal.config import SIZES
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.config import TeachConfig
from stream_sep.training.config_file import read_config
from stream_sep.training.teacher_ensemble import TeacherEnsemble
from stream_sep.training.trainer import Trainer


def test_ensemble_output_is_the_mean_of_its_teachers(tmp_path):
    names, networks = teachers(tmp_path)
    together, alone = (
        TeacherEnsemble.load([Path(name) for name in names]),
        [CausalTrainingModel(n.size, n) for n in networks],
    )
    hop, past = together.hop, together.context_frames
    mix = 0.1 * torch.randn(2, 2, past + 20 * hop, generator=random(3))
    stems, memory = together.separate(mix[..., : past + 10 * hop], together.initial_state(2))
    more, _ = together.separate(mix[..., 10 * hop :], memory)
    with torch.no_grad():
        each = [one.separate(mix, one.initial_state(2))[0] for one in alone]
    mean = torch.stack(each).mean(dim=0)
    assert (each[0] - each[1]).abs().max() > 1e-2
    assert (stems - mean[..., : 9 * hop]).abs().max() < 1e-5
    assert (more - mean[..., 10 * hop :]).abs().max() < 1e-5
    assert not more.requires_grad


def test_ensemble_aligns_teachers_of_different_contexts_and_lookaheads(home, tmp_path):
    """One that looks back further and ahead: the mean of all three, aligned, and crops of sufficient length."""
    names, networks = teachers(tmp_path)
    torch.manual_seed(6)
    far = CausalTrainingModel(dataclasses.replace(SIZES["tiny"], window=512, points=4, lookahead=2)).network
    torch.nn.init.normal_(far.decoder, std=0.5)
    save_weights(far, tmp_path / "far.safetensors")
    together, alone = (
        TeacherEnsemble([CausalTrainingModel(n.size, n) for n in (*networks, far)]),
        [CausalTrainingModel(n.size, n) for n in (*networks, far)],
    )
    assert (together.hop, together.context_frames, together.first_output_frame) == (
        alone[2].hop,
        alone[2].context_frames,
        alone[2].first_output_frame,
    )
    mix = 0.1 * torch.randn(2, 2, together.context_frames + 20 * together.hop, generator=random(3))
    with torch.no_grad():
        stems, memory = together.separate(mix, together.initial_state(2))
        each = [
            one.separate(mix, one.initial_state(2))[0][..., together.first_output_frame - one.first_output_frame :]
            for one in alone
        ]
    mean = torch.stack([one[..., : stems.shape[-1]] for one in each]).mean(dim=0)
    assert (stems - mean).abs().max() < 1e-5
    assert (each[2] - each[0][..., : each[2].shape[-1]]).abs().max() > 1e-2
    assert stems.shape[-1] == 19 * together.hop
    assert len(memory) == len(together.initial_state(2))
    plan = dataclasses.replace(taught(home), teach=TeachConfig((*names, str(tmp_path / "far.safetensors"))))
    trainer = Trainer(plan, tmp_path / "out", device="cpu")
    assert trainer._objective.context_frames == together.context_frames
    trainer.run(lambda _text: None)
    assert all(torch.isfinite(value).all() for value in weights(trainer).values())


def test_teachers_of_different_hops_or_without_a_file_are_rejected(home, tmp_path):
    _, networks = teachers(tmp_path)
    slower = CausalTrainingModel(dataclasses.replace(SIZES["tiny"], hop=32, fade=32)).network
    with pytest.raises(ConfigError, match=r"the same hop, not \[32, 64\] frames"):
        TeacherEnsemble([CausalTrainingModel(n.size, n) for n in (*networks, slower)])
    missing = dataclasses.replace(config(home), teach=TeachConfig(("nowhere.safetensors",)))
    with pytest.raises(SeparatorError, match="nowhere"):
        Trainer(missing, tmp_path / "out", device="cpu")


def test_teachers_are_found_from_the_config_file_wherever_the_data_is(home, tmp_path):
    (tmp_path / "c.toml").write_text(TINY.format(steps=1, every=1) + "[teach]\nteachers = ['a/b.safetensors']\n")
    moved = dataclasses.replace(read_config(tmp_path / "c.toml"), folder=home)
    assert moved.teachers == [tmp_path / "a/b.safetensors"]


def test_teachers_are_found_where_the_commands_of_a_shipped_config_write_them(home, tmp_path, monkeypatch):
    shipped = Path(__file__).parents[2] / "presets" / "training" / "live-3-student.toml"
    monkeypatch.chdir(tmp_path)
    names = ("live-1-teacher-wide", "live-2-teacher-previews")
    for name in names:
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "best.safetensors").write_bytes(b"")
    found = dataclasses.replace(read_config(shipped), folder=home).teachers
    assert [file.resolve() for file in found] == [tmp_path / "out" / name / "best.safetensors" for name in names]


def test_bundled_weights_are_named_by_their_model(tmp_path):
    (tmp_path / "c.toml").write_text(TINY.format(steps=1, every=1) + "[teach]\nteachers = ['live']\n")
    training = read_config(tmp_path / "c.toml")
    assert training.teachers == [bundled_weights("live")]
    assert training.init_weights is None
