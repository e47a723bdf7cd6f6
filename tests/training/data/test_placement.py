"""Samples in a GPU's memory if they fit, or on the disk and cut on the CPU: a bound at any size of a data set."""

import pytest
from requirements import require_package

require_package("torch", "train")

import torch
from tiny_training import config, random, train, weights

from stream_sep.training import trainer as training
from stream_sep.training.data import store
from stream_sep.training.data.cache import RATE, read_index
from stream_sep.training.data.placement import SHARE, fits, notice, sample_bytes
from stream_sep.training.data.prefetch import PrefetchingSampler, open_sampler, step_generator
from stream_sep.training.data.remix import MixConfig, RemixSampler
from stream_sep.training.data.store import load_dataset
from stream_sep.training.trainer import Trainer

META = torch.device("meta")
GB = 10**9


@pytest.mark.parametrize(
    ("needed", "free", "expected"),
    [(4 * GB, 8 * GB, True), (4 * GB + 1, 8 * GB, False), (0, 0, True), (1, 0, False), (1, None, False)],
)
def test_samples_go_into_half_of_the_free_memory_at_most(needed, free, expected):
    assert SHARE == 0.5
    assert fits(needed, free) is expected


def test_bytes_are_those_of_int16_stereo():
    assert sample_bytes([60 * RATE] * 4) == 4 * 60 * RATE * 2 * 2


def test_the_notice_has_both_sizes_and_the_device():
    assert "samples of 12 GB stay on the disk, as meta has 16 GB" in notice(12 * GB, 16 * GB, META)
    assert "an unknown size of memory" in notice(12 * GB, None, META)


@pytest.fixture
def free(monkeypatch):
    """Sets the free memory of the device."""
    return lambda size: monkeypatch.setattr(store, "free_memory", lambda _device: size)


def load(home, device):
    return load_dataset([(home / "cache", 1.0)], validation=False, percent=0, device=device)


def test_samples_that_fit_are_on_the_device_and_others_on_the_disk(home, free):
    needed = sample_bytes(song.frames for song in read_index(home / "cache") for _ in song.stems)
    free(2 * needed)
    resident = load(home, META)
    assert {samples.sound.device for samples in resident.stems.values()} == {META}
    assert sum(samples.sound.nbytes for samples in resident.stems.values()) == needed
    assert (resident.whole.device, resident.notice) == (META, "")
    free(2 * needed - 1)
    bounded, on_cpu = load(home, META), load(home, torch.device("cpu"))
    assert bounded.device == META
    assert "stay on the disk" in bounded.notice
    assert on_cpu.notice == ""
    for stem, samples in bounded.stems.items():
        assert isinstance(samples.sound, tuple)
        for name in ("gain", "first", "length", "weight", "active", "max_hz"):
            assert torch.equal(getattr(samples, name), getattr(on_cpu.stems[stem], name))
    assert isinstance(open_sampler(bounded, MixConfig(), random(), 1, 0), PrefetchingSampler)
    for dataset in (resident, on_cpu):
        assert isinstance(open_sampler(dataset, MixConfig(), random(), 1, 0), RemixSampler)


def test_batches_in_advance_are_those_of_each_step(library):
    sampler = PrefetchingSampler(library, MixConfig(), seed=3)
    drawn = [sampler.sample(2, 1000) for _ in range(9)]
    for step, batch in enumerate(drawn):
        alone = RemixSampler(library, MixConfig(), step_generator(3, step)).sample(2, 1000)
        assert torch.equal(batch.stems, alone.stems)
        assert torch.equal(batch.max_hz, alone.max_hz)
    assert len({batch.stems.sum().item() for batch in drawn}) == 9
    resumed = PrefetchingSampler(library, MixConfig(), seed=3, first_step=5)
    assert torch.equal(resumed.sample(2, 1000).stems, drawn[5].stems)
    other = RemixSampler(library, MixConfig(), step_generator(3, 6)).sample(3, 500)
    assert torch.equal(resumed.sample(3, 500).stems, other.stems)


def test_a_cache_that_breaks_in_a_training_ends_it_with_its_own_error(library, monkeypatch):
    def broken(*_arguments):
        raise training.ConfigError("the cache is damaged")

    monkeypatch.setattr(RemixSampler, "sample", broken)
    with pytest.raises(training.ConfigError, match="the cache is damaged"):
        PrefetchingSampler(library, MixConfig(), seed=1).sample(1, 100)


def test_a_training_with_prefetching_is_resumed_exactly_and_reports_why(home, tmp_path, monkeypatch):
    def prefetching(dataset, mix, _random, seed, first_step):
        return PrefetchingSampler(dataset, mix, seed, first_step)

    monkeypatch.setattr(training, "open_sampler", prefetching)
    whole, _ = train(home, tmp_path / "whole", steps=4)
    train(home, tmp_path / "halves", steps=4, stop_at=2)
    halves, _ = train(home, tmp_path / "halves", steps=4)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(halves)[name]), name
    trainer, messages = Trainer(config(home, steps=1), tmp_path / "new", device="cpu"), []
    trainer._notices = {"samples stay on the disk": None}
    trainer.run(messages.append)
    assert messages[0] == "samples stay on the disk"
