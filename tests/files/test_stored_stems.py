"""Mixes and stem files of stems that were written before."""

import numpy as np
import pytest
import soundfile

from stream_sep.errors import Cancelled, ConfigError
from stream_sep.files.formats import AudioFormat
from stream_sep.files.stem_mp4 import STEMS, read_stem_box
from stream_sep.files.stored_stems import pack_stems, render_mix

RATE = 44100
FLOATS = AudioFormat("wav", 32)


@pytest.fixture
def stems(tmp_path):
    rng = np.random.default_rng(3)
    sounds = {name: (0.1 * rng.standard_normal((100_000, 2))).astype(np.float32) for name in STEMS}
    files = {name: tmp_path / f"{name}.wav" for name in STEMS}
    for name, sound in sounds.items():
        soundfile.write(files[name], sound, RATE, subtype="FLOAT")
    return files, sounds


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_at_unity_the_mix_is_the_sum(stems, tmp_path):
    files, sounds = stems
    assert render_mix(files, tmp_path / "out" / "mix.wav", FLOATS) == []
    np.testing.assert_allclose(read(tmp_path / "out" / "mix.wav"), sum(sounds.values()), atol=1e-6)


def test_faders_pans_and_a_part_of_the_song(stems, tmp_path):
    files, sounds = stems
    options = {"gains_db": {"vocals": -90, "drums": -6.0}, "pans": {"bass": 1.0}, "first": 1000, "last": 90_000}
    render_mix(files, tmp_path / "mix.wav", FLOATS, **options)
    expected = 10 ** (-6 / 20) * sounds["drums"] + [0.0, 1.0] * sounds["bass"] + sounds["other"]
    np.testing.assert_allclose(read(tmp_path / "mix.wav"), expected[1000:90_000], atol=1e-6)


def test_a_mix_that_is_too_loud_is_turned_down_and_is_reported(stems, tmp_path):
    files, _ = stems
    (note,) = render_mix(files, tmp_path / "mix.flac", AudioFormat("flac"), gains_db=dict.fromkeys(STEMS, 10.0))
    assert "dB down" in note
    assert np.abs(read(tmp_path / "mix.flac")).max() <= 1.0


@pytest.mark.parametrize(
    "options",
    [{"gains_db": {"piano": 0.0}}, {"first": 5, "last": 5}, {"last": 100_001}, {"first": -1}],
    ids=str,
)
def test_what_is_not_there_cannot_be_mixed(stems, tmp_path, options):
    with pytest.raises(ConfigError):
        render_mix(stems[0], tmp_path / "mix.wav", FLOATS, **options)
    assert not (tmp_path / "mix.wav").exists()


def test_a_cancelled_mix_leaves_nothing(stems, tmp_path):
    def stop(_share):
        raise Cancelled("no more")

    with pytest.raises(Cancelled):
        render_mix(stems[0], tmp_path / "out" / "mix.wav", FLOATS, report=stop)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("ffmpeg")
def test_stored_stems_become_a_stem_file(stems, tmp_path):
    files, _ = stems
    render_mix(files, tmp_path / "mix.wav", FLOATS)
    pack_stems(files, tmp_path / "mix.wav", tmp_path / "song.stem.mp4", tags_from=tmp_path / "mix.wav")
    assert [stem["name"].lower() for stem in read_stem_box(tmp_path / "song.stem.mp4")["stems"]] == list(STEMS)
    with pytest.raises(ConfigError, match="vocals is missing"):
        pack_stems(
            {n: f for n, f in files.items() if n != "vocals"}, files["bass"], tmp_path / "x", tags_from=files["bass"]
        )
