"""Songs as training reads them: crops out of mapped files."""

import dataclasses

import numpy as np
import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.training.data.cache import RATE
from stream_sep.training.data.crop import crop
from stream_sep.training.data.store import StemSamples


def test_crop_keeps_to_its_song_and_pitch(library):
    store = library.stems["vocals"]
    one = torch.zeros(1, dtype=torch.int64)
    inside = crop(store, one, one, torch.ones(1), RATE)[0, 0]
    spectrum = torch.fft.rfft(inside).abs()
    faster = torch.fft.rfft(crop(store, one, one, torch.full((1,), 1.2), RATE)[0, 0]).abs()
    assert float(faster.argmax()) == pytest.approx(1.2 * float(spectrum.argmax()), abs=1.5)
    beyond = crop(store, one, one + int(store.length[0]) - 100, torch.ones(1), 1000)[0]
    assert beyond[:, :100].any()
    assert not beyond[:, 100:].any()


def test_compiled_crops_equal_those_by_torch():
    draw = torch.Generator().manual_seed(1)
    sound = torch.randint(-20000, 20000, (30000, 2), generator=draw).short()
    ends = torch.tensor([0, 12000]), torch.tensor([12000, 18000])
    plain = StemSamples(
        sound, torch.tensor([1.0, 0.5]), *ends, torch.ones(2), torch.zeros(0, 2, dtype=torch.int64), torch.ones(2)
    )
    compiled = dataclasses.replace(plain, sound=tuple((part.numpy(),) for part in sound.split([12000, 18000])))
    songs, starts = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([-300, 100, 15000, 11999, -9000])
    rates = torch.tensor([1.0, 0.81, 1.19, 1.07, 1.0])
    one, other = (crop(store, songs, starts, rates, 8000) for store in (compiled, plain))
    assert (one - other).abs().max() < 1e-5 * other.abs().max()
    assert not one[4].any()


def test_loaded_songs_stay_on_disk(library):
    for store in library.stems.values():
        assert all(isinstance(source.base, np.memmap) for song in store.sound for source in song)


def test_faster_crop_has_no_aliasing(library):
    rate = torch.full((1,), 1.25)
    tone = (20000 * torch.sin(2 * torch.pi * 19000 / RATE * torch.arange(RATE)))[:, None].repeat(1, 2).short()
    store = dataclasses.replace(
        library.stems["vocals"],
        sound=((tone.numpy(),),),
    )
    zero = torch.zeros(1, dtype=torch.int64)
    kept = crop(store, zero, zero, torch.ones(1), 20000).square().mean()
    folded = crop(store, zero, zero, rate, 20000).square().mean()
    assert folded < 0.1 * kept
