"""Threads and device of a separation, for separators that are no Demucs models."""

from pathlib import Path

import pytest
from noise import gaussian_noise

from stream_sep.errors import ConfigError
from stream_sep.files.batch import separate_all
from stream_sep.files.job import SeparationJob
from stream_sep.files.separator_settings import check_settings, separator_options
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.separators.passthrough import PassthroughSeparator

GIVEN = {}


def load_recording(*, sample_rate=44100, device="cpu", threads=1):
    """Pass through, and note the options."""
    GIVEN.update(device=device, threads=threads)
    return PassthroughSeparator(sample_rate=sample_rate, hop=64)


MINE = f"{__name__}:load_recording"


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({"device": "cuda:1", "threads": 3}, {"device": "cuda:1", "threads": 3}),
        ({}, {"device": "auto", "threads": 1}),
        ({"threads": 3, "options": {"threads": 2, "device": "mps"}}, {"device": "mps", "threads": 2}),
    ],
)
def test_threads_and_device_reach_the_separator(settings, given):
    GIVEN.clear()
    model = StreamingSongModel(None, SeparationSettings(model=MINE, **settings))
    assert given == GIVEN
    GIVEN.clear()
    list(model.separate([gaussian_noise(64)], 48000, None))
    assert given == GIVEN


@pytest.mark.parametrize("model", ["live", "bands", "studio"])
def test_device_and_threads_are_refused_where_a_separator_has_none(model):
    with pytest.raises(ConfigError, match="computes on the CPU; leave --device cuda out"):
        StreamingSongModel(None, SeparationSettings(model=model, device="cuda"))
    job = SeparationJob(settings=SeparationSettings(model=model, threads=2))
    with pytest.raises(ConfigError, match="no option threads: it computes in one; leave --threads 2 out"):
        list(separate_all([], job, lambda *_: None))


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"overlap": 0.5}, "--overlap"),
        ({"segment": 4.0}, "--segment"),
        ({"precision": "bfloat16"}, "--precision bfloat16"),
        ({"repo": Path("weights")}, "--repo"),
    ],
)
def test_settings_of_demucs_are_refused_by_other_models(settings, option):
    job = SeparationJob(settings=SeparationSettings(model="bands", **settings))
    with pytest.raises(ConfigError, match=f"no use for {option}, which is for Demucs models"):
        list(separate_all([], job, lambda *_: None))
    check_settings(SeparationSettings(model="htdemucs", **settings))


def test_the_share_of_threads_of_a_parallel_song_is_no_setting_that_could_be_refused():
    settings = SeparationSettings(model="bands", device="cpu", threads=2)
    assert separator_options(settings) == {}
    check_settings(SeparationSettings(model="bands"))
    check_settings(SeparationSettings(model="bands", threads=1))  # which is how it computes
    check_settings(SeparationSettings(model="htdemucs", threads=2))
    with pytest.raises(ConfigError, match="at least 1, not -2"):
        check_settings(SeparationSettings(model="bands", threads=-2))
