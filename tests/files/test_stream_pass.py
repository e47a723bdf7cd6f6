"""Songs through a streaming separator."""

import hashlib

import numpy as np
import pytest
from noise import gaussian_noise
from requirements import require_package

from stream_sep.files import stream_pass
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.separators import load_separator

RATE = 44100


def stems_of(mix, **settings):
    model = StreamingSongModel(None, SeparationSettings(**settings))
    return np.concatenate([stems for _, stems in model.separate([mix], RATE, None)], axis=2)


def test_stems_are_in_time_with_the_song_whatever_the_shifts():
    mix = gaussian_noise(RATE // 2)
    for shifts in (0, 1, 3):
        stems = stems_of(mix, model="passthrough", options={"latency": 100, "carrier": "bass"}, shifts=shifts)
        np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)


@pytest.mark.parametrize(("shifts", "loads"), [(0, 1), (1, 1), (3, 3)])
def test_separator_is_loaded_once_for_each_pass(monkeypatch, shifts, loads):
    names = []

    def load(name, rate, **options):
        names.append(name)
        return load_separator(name, rate, **options)

    monkeypatch.setattr(stream_pass, "load_separator", load)
    StreamingSongModel(None, SeparationSettings(model="bands", shifts=shifts))
    assert names == loads * ["bands"]


def test_shifts_are_averaged_where_they_make_a_difference():
    mix = gaussian_noise(RATE)
    one, two, again = (stems_of(mix, model="bands", shifts=shifts) for shifts in (1, 2, 2))
    assert one.shape == two.shape == (4, 2, RATE)
    assert not np.allclose(one, two, atol=1e-3)
    np.testing.assert_array_equal(two, again)


@pytest.mark.parametrize(("first", "second", "same"), [(1, 2, False), (0, 1, True)])
def test_cached_stems_of_other_shifts_are_not_mixed_up(tiny_weights, first, second, same):
    require_package("torch", "train")
    weights = tiny_weights() / "tiny-int8.safetensors"
    keys = [
        StreamingSongModel(None, SeparationSettings(model=str(weights), shifts=shifts)).cache_key
        for shifts in (first, second)
    ]
    assert (keys[0] == keys[1]) is same


def test_cache_keys_of_weights_without_a_config_are_those_of_earlier_versions(tiny_weights, tmp_path):
    require_package("torch", "train")
    weights = tmp_path / "w.safetensors"
    weights.write_bytes((tiny_weights() / "tiny-int8.safetensors").read_bytes())
    settings = SeparationSettings(model="causal-22ms", options={"weights": str(weights), "a": 1})
    expected = hashlib.blake2b(weights.read_bytes() + b'{"a": 1}', digest_size=16).hexdigest()
    assert stream_pass._cache_key(settings) == expected
    weights.with_suffix(".yaml").write_text("of another program")
    assert stream_pass._cache_key(settings) == expected
