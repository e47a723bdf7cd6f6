"""Mixes that are drawn for training."""

import dataclasses

import soundfile
from requirements import require_package

require_package("torch", "train")

import torch
from tiny_training import QUIET, random, sound

from stream_sep.training.augmentation import Augmenter
from stream_sep.training.data.cache import RATE, build_cache
from stream_sep.training.data.layouts import find_stem_songs
from stream_sep.training.data.remix import MixConfig, RemixSampler
from stream_sep.training.data.store import load_dataset


def test_mixes_are_of_one_song_or_of_many(library):
    def same(share):
        stems = (
            RemixSampler(library, MixConfig(same_song=share, missing_stem_probability=0, speed=0), random())
            .sample(16, 4000)
            .stems
        )
        pitch = torch.fft.rfft(stems[:, [0, 3]].mean(dim=2), 1 << 17).abs().argmax(dim=-1) / (1 << 17) * RATE
        return pitch[:, 0] / 880, pitch[:, 1] / 3000

    vocals, _ = same(1.0)
    assert len(vocals.unique()) <= 6
    assert RemixSampler(library, MixConfig(), random()).sample(3, 500).stems.shape == (3, 4, 2, 500)


def test_missing_stems_are_silent_as_often_as_configured(library):
    stems = (
        RemixSampler(library, MixConfig(missing_stem_probability=0.5, active_probability=1.0), random())
        .sample(200, 2000)
        .stems
    )
    silent = (stems[:, [0, 2, 3]].abs().amax(dim=(2, 3)) == 0).float().mean()
    assert 0.4 < silent < 0.6


def test_song_of_one_stem_is_mixed_and_is_no_whole_song(home, tmp_path, library):
    (tmp_path / "voices/Singer - Song").mkdir(parents=True)
    soundfile.write(tmp_path / "voices/Singer - Song/vocals.wav", sound("vocals", 9), RATE)
    build_cache(find_stem_songs(tmp_path / "voices"), tmp_path / "cache")
    more = [(home / "cache", 1.0), (tmp_path / "cache", 100.0)]
    both = load_dataset(more, validation=False, percent=0, device=torch.device("cpu"))
    assert both.stems["vocals"].songs == both.stems["drums"].songs + 1
    assert len(both.whole) == both.stems["drums"].songs > len(library.whole)
    songs, _ = RemixSampler(both, MixConfig(), random())._places(both.stems["vocals"], 100, 1000)
    assert (songs == both.stems["vocals"].songs - 1).float().mean() > 0.8


def test_mix_with_a_band_limited_stem_has_its_limit(home, tmp_path):
    dull = dataclasses.replace(find_stem_songs(home / "songs")[0], name="Dull - Song", max_hz=7500.0)
    build_cache([dull], tmp_path / "cache")
    caches = [(home / "cache", 1.0), (tmp_path / "cache", 1e6)]
    both = load_dataset(caches, validation=False, percent=0, device=torch.device("cpu"))
    mix = MixConfig(same_song=1.0, missing_stem_probability=0.0, speed=0.1)
    limits = RemixSampler(both, mix, random()).sample(20, 500).max_hz
    assert (limits >= 0.9 * 7500).all()
    assert (limits <= 1.1 * 7500).all()
    assert len(limits.unique()) > 10  # a voice that is played faster ends higher
    without = dataclasses.replace(mix, missing_stem_probability=1.0)
    assert torch.isinf(RemixSampler(both, without, random()).sample(20, 500).max_hz).all()
    bright = load_dataset(caches[:1], validation=False, percent=0, device=torch.device("cpu"))
    assert torch.isinf(RemixSampler(bright, mix, random()).sample(20, 500).max_hz).all()
    blend = Augmenter(dataclasses.replace(QUIET, mixup=0.5), random())
    assert blend.limits(torch.tensor([7500.0, torch.inf, torch.inf])).tolist() == [7500.0, 7500.0, torch.inf]


def test_some_voices_lose_a_channel_and_other_stems_do_not(library):
    def sample(share, **options):
        mix = MixConfig(missing_stem_probability=0.0, one_sided_vocals=share, **options)
        return RemixSampler(library, mix, random()).sample(200, 1000).stems

    sounding = sample(0.3, active_probability=1.0, same_song=0.0).abs().amax(dim=3) > 0
    left, right = sounding[:, 0].unbind(dim=1)
    assert (
        float((left | right).float().mean()) > 0.95
    )  # one of both: only a crop that begins before its song has none
    assert 0.2 < float((left != right).float().mean()) < 0.4
    assert 0.3 < float((left & ~right).sum() / (left != right).sum()) < 0.7
    others = sounding[:, 1:]
    assert torch.equal(others[..., 0], others[..., 1])
    whole = sample(1.0, same_song=1.0, extra_vocals=1.0)
    assert ((whole[:, 0].abs().amax(dim=2) > 0).sum(dim=1) <= 2).all()


def test_the_same_seed_draws_the_same_mixes(library):
    draw = [RemixSampler(library, MixConfig(), random(7)).sample(4, 1000).stems for _ in range(2)]
    assert torch.equal(*draw)
