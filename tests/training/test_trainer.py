"""The trainer: scores rise, and a stop or a damaged checkpoint costs nothing."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys

import pytest
from requirements import require_package

from stream_sep.errors import ConfigError

require_package("torch", "train")

import torch
from tiny_training import config, teachers, train, weights

from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.weights import load_weights
from stream_sep.training.trainer import Trainer


def test_trainer_passes_the_limits_of_mixes_to_the_loss(home, tmp_path):
    trainer, seen = Trainer(config(home, steps=1), tmp_path / "out", device="cpu"), []
    for samples in trainer._sampler._dataset.stems.values():
        samples.max_hz[:] = 7500.0
    loss = trainer._objective._loss

    def recorded(estimates, stems, max_hz):
        seen.append(max_hz)
        return loss(estimates, stems, max_hz)

    trainer._objective._loss = recorded
    trainer.run(lambda _text: None)
    assert seen[0].tolist() == [7500.0, 7500.0]


def test_training_improves_the_score(home, tmp_path):
    trainer, messages = train(home, tmp_path / "out", name="learns", steps=36, every=12)
    rows = list(csv.DictReader((tmp_path / "out/curves.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [12, 24, 36]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) - 1
    assert float(rows[-1]["usdr_mean"]) > 2
    assert trainer.best == max(float(row["usdr_mean"]) for row in rows) or trainer.best > 2
    assert any("left" in text for text in messages)
    assert load_weights(tmp_path / "out/best.safetensors").size == SIZES["tiny"]
    assert (tmp_path / "out/example.png").stat().st_size > 1000


def test_steps_without_finite_gradients_are_skipped_counted_and_reported(home, tmp_path):
    trainer, messages = Trainer(config(home, steps=6, every=3), tmp_path / "out", device="cpu"), []
    loss = trainer._objective.loss

    def broken(stems, **options):
        factor = float("nan") if trainer.step in {1, 3, 4} else 1.0
        return factor * loss(stems, **options)

    trainer._objective.loss = broken
    trainer.run(messages.append)
    assert trainer.skipped.count == 3
    warnings = [text for text in messages if "skipped" in text]
    assert ["1 steps skipped" in warnings[0], "2 steps skipped" in warnings[1]] == [True, True]
    assert "3 of 6 steps had gradients that are not finite" in warnings[1]
    rows = csv.DictReader((tmp_path / "out/curves.csv").read_text().splitlines())
    assert [row["skipped_steps"] for row in rows] == ["1", "3"]
    assert all(torch.isfinite(value).all() for value in weights(trainer).values())
    again, messages = Trainer(config(home, steps=6, every=3), tmp_path / "out", device="cpu"), []
    again.run(messages.append)
    assert again.skipped.count == 3
    assert not any("skipped" in text for text in messages)


def test_training_that_skips_no_step_reports_none(home, tmp_path):
    trainer, messages = train(home, tmp_path / "out")
    assert trainer.skipped.count == 0
    assert not any("skipped" in text for text in messages)


def test_training_resumed_after_a_stop_ends_as_an_unbroken_one(home, tmp_path):
    whole, _ = train(home, tmp_path / "whole")
    train(home, tmp_path / "halves", stop_at=3)
    halves, _ = train(home, tmp_path / "halves")
    assert halves.step == 6
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(halves)[name]), name


def test_truncated_checkpoint_falls_back_to_the_one_before(home, tmp_path):
    train(home, tmp_path / "out", stop_at=2)
    train(home, tmp_path / "out", stop_at=4)
    file = tmp_path / "out/checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    assert Trainer(config(home), tmp_path / "out", device="cpu").step == 2
    file.with_suffix(".1.pt").write_bytes(b"")
    with pytest.raises(ConfigError, match="--restart"):
        Trainer(config(home), tmp_path / "out", device="cpu")
    assert Trainer(config(home), tmp_path / "out", device="cpu", fresh=True).step == 0


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "auto"])
def test_every_precision_trains(home, tmp_path, precision):
    training = dataclasses.replace(config(home, steps=3).training, precision=precision, carry_state_probability=1.0)
    trainer = Trainer(dataclasses.replace(config(home, steps=3), training=training), tmp_path / "out", device="cpu")
    before = weights(trainer)
    trainer.run(lambda _text: None)
    after = weights(trainer)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.isfinite(value).all() for value in after.values())


def test_trainer_does_not_resume_with_another_network(home, tmp_path):
    train(home, tmp_path / "out", stop_at=1)
    other = dataclasses.replace(config(home), network={"kind": "causal", "size": "tiny", "width": 16})
    with pytest.raises(ConfigError, match="another network"):
        Trainer(other, tmp_path / "out", device="cpu")


def test_training_begins_with_configured_weights(home, tmp_path):
    (name, wider), (network, _) = teachers(tmp_path)
    plain = config(home)
    begun = dataclasses.replace(plain, training=dataclasses.replace(plain.training, init_weights=name))
    trainer = Trainer(begun, tmp_path / "out", device="cpu")
    for key, value in network.state_dict().items():
        assert torch.equal(value, trainer.model.network.state_dict()[key]), key
        assert torch.equal(value, trainer._average[f"network.{key}"]), key
    other = dataclasses.replace(plain, training=dataclasses.replace(plain.training, init_weights=wider))
    with pytest.raises(ConfigError, match="cannot begin with it"):
        Trainer(other, tmp_path / "other", device="cpu")


def test_resumed_training_keeps_its_own_weights(home, tmp_path):
    (name, _), _ = teachers(tmp_path)
    plain = config(home)
    begun = dataclasses.replace(plain, training=dataclasses.replace(plain.training, init_weights=name))
    first = Trainer(begun, tmp_path / "out", device="cpu")
    first.run(lambda _text: None, lambda: first.step >= 2)
    again = Trainer(begun, tmp_path / "out", device="cpu")
    assert again.step == 2
    assert all(torch.equal(value, weights(again)[key]) for key, value in weights(first).items())


def test_baseline_network_trains(home, tmp_path):
    small = {"kind": "hs-tasnet", "hidden": 16, "basis": 12}
    trainer = Trainer(dataclasses.replace(config(home, steps=2), network=small), tmp_path / "out", device="cpu")
    trainer.run(lambda _text: None)
    assert (tmp_path / "out/best.safetensors").exists()


@pytest.fixture
def signals_of_a_shell():
    """SIGHUP as a shell passes it on: nohup ignores it, and children inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("signals_of_a_shell")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_command_stops_on_a_signal_and_resumes(home, tmp_path, number):
    config(home, "command", steps=100000, every=5)
    command = [sys.executable, "-m", "stream_sep", "train", str(home / "command.toml"), "--out", str(tmp_path / "o")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as run:
        for line in run.stdout:
            if line.startswith("step 10:"):
                break
        run.send_signal(number)
        rest = run.stdout.read()
    assert run.returncode == 128 + number, rest
    assert "run it again to resume" in rest
    assert Trainer(config(home, "command", steps=100000), tmp_path / "o", device="cpu").step >= 10
