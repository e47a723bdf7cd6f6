"""One song through a model into files; the model is a stand-in that is fast and whose stems are known."""

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from requirements import require_package
from song_files import RATE, SHARES, SOURCES, Shares, job, music, outcomes, parts_left, read, write

from stream_sep.errors import Cancelled, ConfigError
from stream_sep.files import song_models
from stream_sep.files.formats import AudioFormat
from stream_sep.files.output_file import OutputFile
from stream_sep.files.settings import DEFAULT_MODEL, SeparationSettings
from stream_sep.files.song_models import ModelShelf
from stream_sep.files.song_separator import SongSeparator, attempt
from stream_sep.files.tracks import Track, find_tracks

pytestmark = pytest.mark.usefixtures("maker")


@pytest.mark.parametrize("model", ["bands", "passthrough"])
def test_a_separator_made_for_streams_gives_stems_in_time_with_the_song(tmp_path, model):
    song = music(1.0)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model=model)), write(tmp_path / "a.wav", song))
    assert {file.stem for file in outcome.files} == set(SOURCES)
    np.testing.assert_allclose(sum(read(file) for file in outcome.files), song, atol=1e-6)


def test_the_stems_of_the_streamed_engine_and_of_the_file_are_the_same(tmp_path):
    from stream_sep import StemSeparator  # noqa: PLC0415 - one test's oracle

    song = music(1.0)
    path = write(tmp_path / "a.wav", song)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model="bands"), stems=("vocals",)), path)
    separator = StemSeparator("bands")
    expected = separator.process(song.T, RATE)[separator.stems.index("vocals")].T
    np.testing.assert_allclose(read(outcome.files[0]), expected, atol=1e-6)


def test_demucs_writes_what_its_network_makes(tmp_path):
    require_package("demucs", "demucs")
    import torch  # noqa: PLC0415 - heavy, one test

    torch.set_num_threads(1)
    song = write(tmp_path / "a.wav", music(2.5))
    done = []
    first = job(tmp_path, settings=SeparationSettings(model="tiny", threads=1, device="cpu"))
    (outcome,) = outcomes(first, song, report=lambda _, progress: done.append(progress.share))
    assert [file.name for file in outcome.files] == [f"{stem}.wav" for stem in SOURCES]
    assert all(read(file).shape == (len(read(song)), 2) for file in outcome.files)
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_all_stems_are_written_and_each_is_its_own(maker, tmp_path):
    song = music()
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", song))
    for file, share in zip(outcome.files, SHARES, strict=True):
        np.testing.assert_allclose(read(file), share * song, atol=1e-6)
    assert maker.log == [SOURCES]


def test_only_the_stems_that_are_needed_are_made(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, stems=("vocals", "drums")), path)
    outcomes(job(tmp_path, mixes=("k=song-vocals",), overwrite=True), path)
    outcomes(job(tmp_path, two_stems="bass", other_method="minus"), path)
    outcomes(job(tmp_path, two_stems="bass"), path)
    assert maker.log == [("drums", "vocals"), ("vocals",), ("bass",), SOURCES]


def test_two_stems_are_a_stem_and_the_sum_of_the_others(tmp_path):
    song = music()
    (outcome,) = outcomes(job(tmp_path, two_stems="vocals"), write(tmp_path / "a.wav", song))
    assert [file.name for file in outcome.files] == ["vocals.wav", "no_vocals.wav"]
    np.testing.assert_allclose(read(outcome.files[1]), 0.85 * song, atol=1e-6)


@pytest.mark.parametrize(("method", "rest"), [("minus", {"minus_vocals": 0.7}), ("none", {})])
def test_the_rest_can_be_what_the_song_is_without_the_stem_or_left_out(tmp_path, method, rest):
    song = music()
    settings = job(tmp_path, two_stems="vocals", other_method=method)
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    expected = {"vocals": 0.3, **rest}
    assert {file.stem for file in outcome.files} == set(expected)
    for file in outcome.files:
        np.testing.assert_allclose(read(file), expected[file.stem] * song, atol=1e-6)


def test_mixes_have_their_gains_and_their_names(tmp_path):
    song = music()
    mixes = ("karaoke=drums+bass+other", "vocals*0.2+drums", "rest=song - 0.5*vocals")
    (outcome,) = outcomes(job(tmp_path, mixes=mixes), write(tmp_path / "a.wav", song))
    assert [file.stem for file in outcome.files] == ["karaoke", "vocals0.2+drums", "rest"]
    for file, gain in zip(outcome.files, (0.85, 0.56, 0.85), strict=True):
        np.testing.assert_allclose(read(file), gain * song, atol=1e-6)


@pytest.mark.parametrize("stems", [None, ("vocals", "other")])
def test_with_residual_the_stems_sum_to_the_song(maker, tmp_path, stems):
    song = music()
    (outcome,) = outcomes(job(tmp_path, residual=True, stems=stems), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(sum(read(file) for file in outcome.files), song, atol=1e-6)
    assert "other" not in maker.log[0]  # it is what the rest leaves


def test_without_other_the_remainder_goes_to_the_last_stem(maker, tmp_path):
    maker.sources = maker.stems = ("drums", "bass")
    song = music()
    (outcome,) = outcomes(job(tmp_path, residual=True), write(tmp_path / "a.wav", song))
    for file, gain in zip(outcome.files, (0.5, 0.5), strict=True):
        np.testing.assert_allclose(read(file), gain * song, atol=1e-6)
    with pytest.raises(ConfigError, match="needs the stem 'bass'"):
        SongSeparator(job(tmp_path, residual=True, stems=("drums",)))


def test_with_residual_loud_stems_are_turned_down_together(tmp_path):
    song = music(level=1.0)
    settings = job(tmp_path, residual=True, format=AudioFormat("wav", 16))
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    total = sum(read(file) for file in outcome.files)
    factor = float(np.vdot(total, song) / np.vdot(song, song))
    assert factor < 0.9
    np.testing.assert_allclose(total, factor * song, atol=6 / 32768)
    drums, bass = (read(file) for file in outcome.files[:2])
    np.testing.assert_allclose(drums, 2 * bass, atol=6 / 32768)
    assert any("dB down" in remark for remark in outcome.notes)


@pytest.mark.parametrize("model", ["bands", DEFAULT_MODEL])
def test_silence_gives_silence(maker, tmp_path, model):
    path = write(tmp_path / "a.wav", np.zeros((5000, 2), np.float32))
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model=model)), path)
    assert all(not read(file).any() and len(read(file)) == 5000 for file in outcome.files)
    assert maker.log == []  # of silence, networks make a faint noise


@pytest.mark.parametrize("model", ["bands", DEFAULT_MODEL])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_song_of_one_frame(tmp_path, model, rate):
    path = write(tmp_path / "a.wav", np.full((1, 2), 0.5), rate)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model=model)), path)
    assert [len(read(file)) for file in outcome.files] == [1] * 4


def test_finished_work_is_not_done_again_unless_the_song_changed(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    assert [outcomes(job(tmp_path), path)[0].skipped for _ in range(2)] == [False, True]
    later = time.time() + 10
    os.utime(path, (later, later))
    assert outcomes(job(tmp_path), path)[0].skipped
    write(path, 0.5 * music())
    os.utime(path, (1e9, 1e9))  # older than its stems, as a file that was copied from elsewhere
    assert not outcomes(job(tmp_path), path)[0].skipped
    assert len(maker.log) == 2


def test_a_song_with_one_stem_missing_is_done_again(tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path), path)[0].files[2].unlink()
    (outcome,) = outcomes(job(tmp_path), path)
    assert not outcome.skipped
    assert all(file.is_file() for file in outcome.files)


def test_an_interruption_while_a_file_is_being_made_leaves_nothing(tmp_path, monkeypatch):
    def create(file):
        file.part.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(OutputFile, "_create_part", create)
    with pytest.raises(KeyboardInterrupt):
        outcomes(job(tmp_path), write(tmp_path / "a.wav", music()))
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken")])
def test_half_written_files_never_stay(maker, tmp_path, error):
    path = write(tmp_path / "a.wav", music(5.0))
    maker._fail = [error]
    if isinstance(error, ValueError):
        assert "ValueError: broken" in outcomes(job(tmp_path), path)[0].error
    else:
        with pytest.raises(KeyboardInterrupt):
            outcomes(job(tmp_path), path)
    assert not list((tmp_path / "out").rglob("*.*"))


def test_a_run_that_fails_leaves_the_files_that_were_there(maker, tmp_path):
    path = write(tmp_path / "a.wav", music(5.0))
    (before,) = outcomes(job(tmp_path), path)
    kept = before.files[0].read_bytes()
    maker._fail = [ValueError("broken")]
    assert outcomes(job(tmp_path, overwrite=True), path)[0].error
    assert before.files[0].read_bytes() == kept


def test_out_of_memory_it_goes_on_smaller_and_reports_it(maker, tmp_path):
    song = music(5.0)
    maker._fail = [RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), MemoryError()]
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * song, atol=1e-6)
    assert [("memory ran out" in remark, "smaller steps" in remark) for remark in outcome.notes] == [(True, True)] * 2


def test_nothing_smaller_left_gives_an_error_message(maker, tmp_path, monkeypatch):
    maker._fail = [MemoryError()]
    monkeypatch.setattr(Shares, "with_less_memory", lambda _: None)
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", music(5.0)))
    assert "not enough memory" in outcome.error


@pytest.mark.parametrize(("name", "bits"), [("wav", 16), ("wav", 24), ("wav", 32), ("ogg", 16), ("mp3", 16)])
def test_streamed_stems_can_be_read_while_they_are_made(tmp_path, name, bits):
    song = music(6.0)
    path = write(tmp_path / "a.wav", song)
    settings = job(tmp_path, stream=True, stems=("drums",), format=AudioFormat(name, bits), tags=False)
    seen = []

    def look(progress):
        part, share = tmp_path / "out" / "htdemucs" / "a" / f"drums.part.{name}", progress.share
        if progress.stage == "separate" and 0 < share < 1:
            sound = read(part)
            seen.append(len(sound) / len(song))
            assert seen[-1] == pytest.approx(share, abs=0.0 if name == "wav" else 0.2)
            if name == "wav":
                np.testing.assert_allclose(sound, np.clip(0.5 * song[: len(sound)], -0.99, 0.99), atol=1e-4)

    SongSeparator(settings).separate(find_tracks([path], settings.out)[0], look)
    assert len(seen) > 2
    assert not parts_left(tmp_path / "out")


def test_what_a_crash_left_is_gone_after_the_next_run(tmp_path):
    path = write(tmp_path / "a.wav", music())
    left = write(tmp_path / "out" / "htdemucs" / "a" / "drums.part.wav", music(3.0))
    (outcome,) = outcomes(job(tmp_path, stems=("drums",), stream=True), path)
    assert len(read(outcome.files[0])) == len(music())
    assert not left.exists()


def test_progress_has_its_stage(tmp_path):
    song, received = music(5.0), []
    path = write(tmp_path / "a.wav", song)
    settings = job(tmp_path, stems=("drums", "vocals"))
    SongSeparator(settings).separate(find_tracks([path], settings.out)[0], received.append)
    stages = [progress.stage for progress in received]
    assert sorted(set(stages), key=stages.index) == ["read", "separate", "write"]
    ready = [progress.frames_ready for progress in received]
    assert ready == sorted(ready)
    assert received[-1].frames == received[-1].frames_ready == len(song)


@pytest.mark.parametrize("stage", ["read", "separate", "write"])
def test_a_song_can_be_cancelled_in_every_stage_and_leaves_nothing(tmp_path, stage):
    def stop(progress):
        if progress.stage == stage:
            raise Cancelled("not any more")

    settings = job(tmp_path, format=AudioFormat("wav", 16))
    track = Track(write(tmp_path / "a.wav", music(5.0)), Path(), "a")
    outcome = attempt(SongSeparator(settings), track, stop)
    assert outcome.cancelled
    assert not outcome.error
    assert not settings.out.exists()


def test_a_model_that_is_loaded_serves_other_formats_and_stems(tmp_path, monkeypatch):
    shelf = ModelShelf()
    settings = SeparationSettings(model="passthrough")
    model = shelf.get(settings)
    monkeypatch.setattr(song_models, "load_song_model", lambda _: pytest.fail("it was loaded again"))
    for form, stems in (("flac", ("drums",)), ("wav", None)):
        task = job(tmp_path, settings=settings, format=AudioFormat(form), stems=stems)
        track = Track(write(tmp_path / f"{form}.wav", music(0.2)), Path(), form)
        assert attempt(SongSeparator(task, shelf.get(settings)), track, lambda _: None).files
    assert shelf.get(replace(settings)) is model


def test_a_disk_without_room_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10_000))
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", music()))
    assert "are needed in" in outcome.error
    assert not (tmp_path / "out").exists()


def test_loud_stems_are_turned_down_together_and_are_reported(tmp_path):
    song = music(level=1.0)
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat("wav", 16)), write(tmp_path / "a.wav", song))
    drums, bass = (read(file) for file in outcome.files[:2])
    np.testing.assert_allclose(drums, 2 * bass, atol=6 / 32768)
    assert any("all stems of" in note and "dB down" in note for note in outcome.notes)


def test_what_is_cut_is_reported(tmp_path):
    task = job(tmp_path, format=AudioFormat("wav", 16, clip="none"), stems=("drums",))
    (outcome,) = outcomes(task, write(tmp_path / "a.wav", music(level=2.0)))
    assert "dB over full scale, and is cut there" in outcome.notes[0]


@pytest.mark.parametrize(("rate", "expected"), [(96000, 48000), (88200, 44100), (37800, 44100)])
def test_an_mp3_of_a_rate_that_it_cannot_hold_has_another_and_is_reported(tmp_path, rate, expected):
    task = job(tmp_path, settings=SeparationSettings(model="bands"), format=AudioFormat("mp3"), stems=("drums",))
    (outcome,) = outcomes(task, write(tmp_path / "a.wav", music(0.5, rate=rate), rate))
    assert soundfile.info(outcome.files[0]).samplerate == expected
    assert f"at {expected} Hz" in outcome.notes[0]
