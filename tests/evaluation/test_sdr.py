import numpy as np
import pytest
import soundfile
from streaming import separate

from stream_sep.errors import AudioFileError
from stream_sep.evaluation.scored_model import ScoredModel
from stream_sep.evaluation.sdr import (
    ACCOMPANIMENT,
    Row,
    align_references,
    estimate_mid_side,
    estimate_mix,
    evaluate,
    format_table,
    score,
    usdr,
)
from stream_sep.evaluation.songs import Song, find_songs, load_song
from stream_sep.protocols import STEMS
from stream_sep.separators import load_separator

RATE = 8000


def noise(seed, frames=RATE):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)


def scores(song, estimates):
    return {row.stem: row.usdr for row in score(song, "model", estimates)}


@pytest.fixture
def folder(tmp_path):
    """Two songs: the first without bass, the second with silent vocals."""
    for song, stems in (("a", "vocals drums other"), ("b", "vocals drums bass other")):
        (tmp_path / song).mkdir()
        for seed, stem in enumerate(stems.split()):
            sound = noise(seed) * (0 if (song, stem) == ("b", "vocals") else 1)
            soundfile.write(tmp_path / song / f"{stem}.wav", sound.T, RATE, subtype="FLOAT")
    return tmp_path


def test_usdr_is_the_ratio_of_energies_over_both_channels():
    reference = np.array([[3, 0], [0, 4]], np.float32)  # energy 25
    estimate = np.array([[3, 1], [0, 2]], np.float32)  # error 1 + 4
    assert usdr(reference, estimate) == pytest.approx(10 * np.log10(25 / 5), abs=1e-6)


def test_usdr_of_nothing_estimated_is_no_decibel():
    assert usdr(noise(0), np.zeros((2, RATE), np.float32)) == pytest.approx(0, abs=1e-6)


def test_a_song_is_read_with_the_stems_it_has(folder):
    song = load_song(folder / "a")
    assert (song.name, song.sample_rate, set(song.stems)) == ("a", RATE, {"vocals", "drums", "other"})
    assert np.allclose(song.mix, noise(0) + noise(1) + noise(2), atol=1e-6)


def test_a_song_is_resampled_on_request(folder):
    song = load_song(folder / "a", 2 * RATE)
    assert (song.sample_rate, song.mix.shape) == (2 * RATE, (2, 2 * RATE))


def test_a_mono_stem_becomes_stereo(tmp_path):
    soundfile.write(tmp_path / "vocals.wav", noise(0)[0], RATE, subtype="FLOAT")
    assert load_song(tmp_path).stems["vocals"].shape == (2, RATE)


def test_songs_are_found_in_order_of_name(folder):
    assert [path.name for path in find_songs(folder)] == ["a", "b"]


def test_stems_are_found_in_any_format_and_in_letters_of_either_case(tmp_path):
    song = tmp_path / "song"
    song.mkdir()
    for name in ("Vocals.WAV", "drums.aiff"):
        soundfile.write(song / name, noise(0).T, RATE)
    assert find_songs(tmp_path) == [song]
    assert set(load_song(song).stems) == {"vocals", "drums"}


def test_a_folder_without_songs_is_an_error(tmp_path):
    with pytest.raises(AudioFileError, match="no song"):
        find_songs(tmp_path)


def test_stems_of_different_rates_are_an_error(folder):
    soundfile.write(folder / "a" / "drums.wav", noise(1).T, 2 * RATE)
    with pytest.raises(AudioFileError, match="differ in sample rate"):
        load_song(folder / "a")


def test_a_broken_file_is_an_error(folder):
    (folder / "a" / "drums.wav").write_bytes(b"not a sound")
    with pytest.raises(AudioFileError, match="cannot read"):
        load_song(folder / "a")


def test_a_stem_file_without_ffmpeg_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "x.stem.mp4").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AudioFileError, match="install ffmpeg"):
        load_song(tmp_path / "x.stem.mp4")


def test_streaming_compensates_the_latency():
    mix = noise(0, 1000)
    carrier = separate(load_separator("passthrough", hop=64, latency=100), mix)["other"]
    assert np.array_equal(carrier, mix)


def test_the_mix_as_estimate_has_the_other_stems_as_error():
    song = Song("s", RATE, {"vocals": noise(0), "drums": noise(1)})
    vocals, drums = (float(np.square(stem).sum()) for stem in song.stems.values())
    found = scores(song, estimate_mix(song.mix))
    assert found["vocals"] == pytest.approx(10 * np.log10(vocals / drums), abs=1e-3)
    assert found[ACCOMPANIMENT] == pytest.approx(10 * np.log10(drums / vocals), abs=1e-3)


def test_mid_and_side_are_perfect_where_vocals_are_all_of_the_middle():
    middle, side = noise(0)[:1].repeat(2, axis=0), noise(1)[:1] * np.array([[1], [-1]], np.float32)
    song = Song("s", RATE, {"vocals": middle, "other": side, "drums": 0 * side, "bass": 0 * side})
    found = scores(song, estimate_mid_side(song.mix))
    assert set(found) == {"vocals", ACCOMPANIMENT}
    assert min(found.values()) > 60


def test_missing_and_silent_stems_are_not_scored(folder):
    rows = list(evaluate(folder, "passthrough", hop=128))
    of_model = {(row.song, row.stem) for row in rows if row.model == "passthrough"}
    assert of_model == {("a", s) for s in ("vocals", "drums", ACCOMPANIMENT)} | {
        ("b", s) for s in ("drums", "bass", "other", ACCOMPANIMENT)
    }


def test_the_limit_counts_songs(folder):
    assert {row.song for row in evaluate(folder, "passthrough", limit=1)} == {"a"}


def test_the_table_has_a_row_a_model_and_leaves_unscored_stems_open():
    rows = [Row("a", "x", "vocals", 1.0), Row("a", "x", "bass", 2.0), Row("a", "y", "vocals", -3.25)]
    assert format_table(rows).splitlines()[2:] == ["| x | 1.00 | 2.00 | 1 |", "| y | -3.25 |  | 1 |"]


def test_unreadable_songs_are_reported_and_the_others_scored(folder):
    sound = noise(1)
    sound[0, 100] = np.inf
    (folder / "infinite").mkdir()
    soundfile.write(folder / "infinite" / "vocals.wav", sound.T, RATE, subtype="FLOAT")
    skipped = []
    rows = list(evaluate(folder, "passthrough", skip=skipped.append))
    assert {row.song for row in rows} == {path.name for path in find_songs(folder)} - {"infinite"}
    assert len(skipped) == 1
    assert "infinite is not scored" in skipped[0]
    with pytest.raises(AudioFileError, match="infinite"):
        list(evaluate(folder, "passthrough"))


def test_a_song_that_cannot_be_scored_is_named_and_the_others_are_scored(folder, monkeypatch):
    def separate(_model, mix, _rate):
        if len(skipped) == 0:
            skipped.append("")
            raise ValueError("odd")
        return dict.fromkeys(STEMS, mix)

    skipped = []
    monkeypatch.setattr(ScoredModel, "separate", separate)
    rows = list(evaluate(folder, "passthrough", skip=skipped.append))
    first, *others = sorted(path.name for path in find_songs(folder))
    assert {row.song for row in rows} == set(others)
    assert skipped[1:] == [f"{first} is not scored: ValueError: odd"]


def test_six_channels_are_mixed_down(folder):
    stem = np.repeat(noise(1)[:1], 6, axis=0)
    soundfile.write(folder / "a" / "drums.wav", stem.T, RATE, subtype="FLOAT")
    assert load_song(folder / "a").stems["drums"].shape[0] == 2


def test_groups_are_scored_by_what_they_leave_out_and_other_only_where_it_means_the_same():
    rng = np.random.default_rng(0)
    stems = {stem: rng.standard_normal((2, 1000)).astype(np.float32) for stem in ("vocals", "drums", "bass", "other")}
    song = Song("s", 44100, stems)
    references, _ = align_references(song, {"drums": song.mix, "no_drums": song.mix})
    assert set(references) == {"drums", "no_drums"}
    assert np.allclose(references["no_drums"], song.mix - stems["drums"])
    references, _ = align_references(song, {"vocals": song.mix, "instruments": song.mix})
    assert np.allclose(references["instruments"], song.mix - stems["vocals"])
    references, _ = align_references(song, {"piano": song.mix, "drums": song.mix, "other": song.mix})
    assert set(references) == {"drums"}
    assert "other" in align_references(song, dict.fromkeys(stems, song.mix))[0]
