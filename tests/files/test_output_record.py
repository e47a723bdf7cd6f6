"""What counts as done: the same sound, made in the same way, and nothing less."""

import os
import shutil
from dataclasses import replace

import pytest
from song_files import job, music, outcomes, parts_left, read, write

from stream_sep.files.formats import AudioFormat
from stream_sep.files.output_record import RECORD, Origin, record_outputs, recorded
from stream_sep.files.settings import SeparationSettings

pytestmark = pytest.mark.usefixtures("maker")


@pytest.fixture
def song(tmp_path):
    return write(tmp_path / "a" / "song.wav", music())


@pytest.mark.parametrize(
    "change",
    [
        {"format": AudioFormat("wav", 24)},
        {"format": AudioFormat("wav", 32, clip="clamp")},
        {"residual": True},
        {"stream": True, "format": AudioFormat("wav", 16)},
        {"tags": False},
        {"settings": SeparationSettings(seed=7)},
        {"settings": SeparationSettings(overlap=0.5)},
        {"mixes": ("vocals=vocals*0.5",)},
    ],
    ids=str,
)
def test_other_settings_are_not_there_already(song, tmp_path, change):
    usual = job(tmp_path)
    outcomes(usual, song)
    changed = replace(usual, **change)
    assert [outcomes(changed, song)[0].skipped for _ in range(2)] == [False, True]


@pytest.mark.parametrize("change", [{"settings": SeparationSettings(threads=3, device="cpu")}, {"cache_gb": 1.0}])
def test_settings_that_change_no_sound_are(song, tmp_path, change):
    outcomes(job(tmp_path), song)
    assert outcomes(job(tmp_path, **change), song)[0].skipped


def test_fewer_of_the_stems_are_there_already(song, tmp_path):
    outcomes(job(tmp_path), song)
    assert outcomes(job(tmp_path, stems=("drums",)), song)[0].skipped


def test_a_song_that_was_replaced_by_an_older_one_is_another(song, tmp_path):
    outcomes(job(tmp_path), song)
    other = write(tmp_path / "other.wav", music(0.7))
    os.utime(other, (1e9, 1e9))
    shutil.copy2(other, song)
    (outcome,) = outcomes(job(tmp_path), song)
    assert not outcome.skipped
    assert len(read(outcome.files[0])) == len(music(0.7))


def test_a_song_of_the_same_size_and_time_is_another_all_the_same(song, tmp_path):
    outcomes(job(tmp_path), song)
    facts = song.stat()
    write(song, -music())
    os.utime(song, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert song.stat().st_size == facts.st_size
    assert not outcomes(job(tmp_path), song)[0].skipped


def test_a_song_that_moved_is_the_same(song, tmp_path):
    outcomes(job(tmp_path), song)
    (tmp_path / "b").mkdir()
    assert outcomes(job(tmp_path), song.rename(tmp_path / "b" / "song.wav"))[0].skipped


def test_another_song_of_the_same_name_does_not_replace_the_first(song, tmp_path):
    (first,) = outcomes(job(tmp_path), song)
    other = write(tmp_path / "b" / "song.wav", music(0.7))
    (outcome,) = outcomes(job(tmp_path), other)
    assert "was made of another song of that name" in outcome.error
    assert "--overwrite" in outcome.error
    assert len(read(first.files[0])) == len(music())
    assert not outcomes(job(tmp_path, overwrite=True), other)[0].error


def test_stems_that_somebody_changed_stay_and_are_reported(song, tmp_path):
    (outcome,) = outcomes(job(tmp_path), song)
    write(outcome.files[0], music(0.1))
    (again,) = outcomes(job(tmp_path), song)
    assert again.skipped
    assert "was changed since" in again.notes[0]
    assert len(read(outcome.files[0])) == len(music(0.1))


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff\xfe", b'{"version": 1, "files": {"drums.wav": 3}}'])
def test_a_record_that_cannot_be_read_means_not_done(song, tmp_path, damage):
    (outcome,) = outcomes(job(tmp_path), song)
    (outcome.files[0].parent / RECORD).write_bytes(damage)
    assert not outcomes(job(tmp_path), song)[0].skipped


def test_two_processes_may_write_one_record(tmp_path):
    files = [write(tmp_path / f"{k}.wav", music(0.01)) for k in range(2)]
    origins = [Origin("digest", "song", (1, 2, 3), str(k)) for k in range(2)]
    for file, origin in zip(files, origins, strict=True):
        record_outputs({file: origin})
    assert [origin.settings for origin in recorded(files)] == ["0", "1"]
    assert not parts_left(tmp_path)
