from importlib import resources

import numpy as np
import pytest

import stream_sep.files.demo_song
from stream_sep.errors import AudioFileError
from stream_sep.files.demo_song import load_demo_song
from stream_sep.protocols import STEMS


@pytest.fixture(scope="module")
def song():
    return load_demo_song()


def decibels(power):
    return 10 * np.log10(power + 1e-20)


def windows(stem, rate, first, last):
    """The stretch between two seconds in windows of 100 ms, mono."""
    frames = rate // 10
    stretch = stem[:, first * rate : last * rate].mean(axis=0)
    return stretch[: stretch.size // frames * frames].reshape(-1, frames)


def periodicity(window, rate):
    """Pitch in Hz and height of the highest peak of the autocorrelation, for pitches of 80 to 800 Hz."""
    power = np.abs(np.fft.rfft(window * np.hanning(window.size), 2 * window.size)) ** 2
    lags = np.fft.irfft(power)
    first, last = rate // 800, rate // 80
    best = first + int(np.argmax(lags[first:last]))
    return rate / best, lags[best] / lags[0]


def test_the_mix_is_the_sum_of_the_stems(song):
    assert tuple(song.stems) == STEMS
    assert np.array_equal(song.mix, sum(song.stems[name] for name in STEMS))
    assert song.mix.dtype == np.float32


def test_every_stem_is_stereo_sounds_and_lasts_as_long_as_the_others(song):
    lengths = {stem.shape[1] for stem in song.stems.values()}
    assert len(lengths) == 1
    assert lengths.pop() >= 20 * song.sample_rate
    for name, stem in song.stems.items():
        assert stem.shape[0] == 2
        assert decibels(np.mean(stem**2)) > -35, name


def test_the_mix_is_loud_and_does_not_clip(song):
    assert -6 < 20 * np.log10(np.max(np.abs(song.mix))) < 0


def test_the_mix_starts_and_ends_in_near_silence_so_that_it_loops(song):
    ends = np.concatenate([song.mix[:, :64], song.mix[:, -64:]], axis=1)
    assert np.max(np.abs(ends)) < 0.003


def test_nobody_sings_in_the_first_second(song):
    assert np.all(decibels(np.mean(windows(song.stems["vocals"], song.sample_rate, 0, 1) ** 2, axis=1)) < -60)


def test_the_voice_is_there_while_its_fader_goes_down_and_up_again(song):
    powers = np.mean(windows(song.stems["vocals"], song.sample_rate, 5, 10) ** 2, axis=1)
    assert np.mean(decibels(powers) > -40) > 0.9


def test_the_voice_has_a_pitch_where_it_sings(song):
    rate = song.sample_rate
    found = [periodicity(window, rate) for window in windows(song.stems["vocals"], rate, 5, 20)]
    sung = [pitch for pitch, height in found if height > 0.6]
    assert len(sung) > 0.6 * len(found)
    assert np.mean([100 < pitch < 500 for pitch in sung]) > 0.95


def test_the_voice_is_in_the_centre_and_the_others_are_wide(song):
    def width(stem):
        return decibels(np.mean((stem[0] - stem[1]) ** 2) / np.mean((stem[0] + stem[1]) ** 2))

    assert width(song.stems["vocals"]) < -8
    assert width(song.stems["other"]) > -8


def test_the_assets_are_small():
    folder = resources.files("stream_sep") / "assets" / "demo"
    sizes = [len(asset.read_bytes()) for asset in folder.iterdir() if asset.name.endswith(".ogg")]
    assert len(sizes) == len(STEMS)
    assert sum(sizes) < 2_000_000


def test_no_one_can_swap_a_stem_under_the_others(song):
    with pytest.raises(TypeError):
        song.stems["vocals"] = song.stems["drums"]


@pytest.mark.parametrize("content", [None, b"not a sound"])
def test_missing_or_broken_asset_is_refused_with_a_remedy(content, tmp_path, monkeypatch):
    if content is not None:
        folder = tmp_path / "assets" / "demo"
        folder.mkdir(parents=True)
        (folder / "vocals.ogg").write_bytes(content)
    monkeypatch.setattr(stream_sep.files.demo_song.resources, "files", lambda _: tmp_path)
    with pytest.raises(AudioFileError, match=r"the vocals of the demo song cannot be read .* reinstall"):
        load_demo_song()
