"""Checkpoints of a training: a damaged one is never resumed."""

import os

import numpy as np
import pytest
import torch

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.training.checkpoints import NAME, load_checkpoint, save_checkpoint

CPU = torch.device("cpu")


def state(step):
    return {"step": step, "weights": {"a": torch.full((500,), float(step))}}


@pytest.fixture
def folder(tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path, state(step))
    return tmp_path


def test_the_newest_checkpoint_is_loaded(folder):
    assert load_checkpoint(folder, CPU)["step"] == 2


def test_a_checkpoint_with_one_flipped_byte_is_never_loaded(folder):
    path = folder / NAME
    whole = path.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 40).astype(int):
        damaged = bytearray(whole)
        damaged[at] ^= 0x40
        path.write_bytes(damaged)
        found = load_checkpoint(folder, CPU)
        assert found["step"] == 1 or torch.equal(found["weights"]["a"], state(2)["weights"]["a"]), at
        path.write_bytes(whole)


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_good_one(folder):
    (folder / NAME).write_bytes((folder / NAME).read_bytes()[:1000])
    assert load_checkpoint(folder, CPU)["step"] == 1
    save_checkpoint(folder, state(3))
    (folder / NAME).write_bytes(b"damaged again")
    assert load_checkpoint(folder, CPU)["step"] == 1


def test_when_none_is_whole_it_is_an_error(folder):
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigError, match="--restart"):
        load_checkpoint(folder, CPU)


def test_a_checkpoint_of_a_version_without_checksums_is_loaded(tmp_path):
    torch.save(state(7), tmp_path / NAME)
    assert load_checkpoint(tmp_path, CPU)["step"] == 7


def test_a_full_disk_gives_an_error_message_and_the_checkpoint_before_stays(folder, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AudioFileError, match=r"[Nn]o space left"):
        save_checkpoint(folder, state(3))
    assert load_checkpoint(folder, CPU)["step"] == 2
