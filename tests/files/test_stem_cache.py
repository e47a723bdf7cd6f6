"""Stems are kept, found again, and looked at before they are believed."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from song_files import RATE, job, music, outcomes, read, write

from stream_sep.files import cache_entry, song_separator
from stream_sep.files.cached_stems import read_cached
from stream_sep.files.disk_space import check_room
from stream_sep.files.output_file import OutputFile, cannot_write
from stream_sep.files.stem_cache import PARTIAL_SONG, StemCache

pytestmark = pytest.mark.usefixtures("maker")


def test_stems_are_made_once_and_kept(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (again,) = outcomes(job(tmp_path, cache_gb=1.0, mixes=("k=drums+bass",)), path)
    np.testing.assert_allclose(read(again.files[0]), 0.75 * read(path), atol=1e-6)
    assert len(maker.log) == 1
    outcomes(job(tmp_path, cache_gb=0.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_a_song_that_changed_is_not_taken_from_the_cache(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    write(path, 0.5 * music())
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_a_copy_under_another_name_is_taken_from_the_cache(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    outcomes(job(tmp_path, cache_gb=1.0), Path(path.rename(tmp_path / "b.wav")))
    assert len(maker.log) == 1


def test_cache_keeps_to_its_limit_and_drops_the_oldest(tmp_path):
    paths = [write(tmp_path / f"{k}.wav", (k + 1) * music(1.0)) for k in range(5)]  # 1.4 MB of stems each
    for age, path in enumerate(paths):
        outcomes(job(tmp_path, cache_gb=0.004), path)
        for entry in StemCache().entries():
            if entry.song == str(path):
                os.utime(entry.folder, (1000 + age, 1000 + age))
    kept = {Path(entry.song).name for entry in StemCache().entries()}
    assert kept == {"3.wav", "4.wav"}


def test_a_damaged_cache_is_not_used(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    for file in (tmp_path / "cache").rglob("drums.wav"):
        file.write_bytes(b"nothing")
    (outcome,) = outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert not outcome.error
    assert len(maker.log) == 2


def test_stems_in_the_cache_that_break_off_are_not_used(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (kept,) = (tmp_path / "cache").rglob("drums.wav")
    write(kept, read(kept)[:-1])
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_what_is_taken_from_the_cache_counts_as_used(tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (entry,) = StemCache().entries()
    os.utime(entry.folder, (1000, 1000))
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert StemCache().entries()[0].used > 1000


def test_a_song_that_would_fill_more_than_half_the_cache_is_not_kept(tmp_path):
    for seconds, songs in ((0.3, 1), (1.0, 1)):  # 0.4 MB and 1.4 MB of stems
        (outcome,) = outcomes(job(tmp_path, cache_gb=0.0015), write(tmp_path / f"{seconds}.wav", music(seconds)))
        assert not outcome.error
        assert [Path(entry.song).name for entry in StemCache().entries()] == ["0.3.wav"] * songs


def test_an_interrupted_song_leaves_nothing_in_the_cache(maker, tmp_path):
    maker._fail = [ValueError("broken")]
    outcomes(job(tmp_path, cache_gb=1.0), write(tmp_path / "a.wav", music(5.0)))
    assert not list((tmp_path / "cache").rglob("*.wav"))


@pytest.fixture
def moving(monkeypatch):
    """Do something to a file just before its size is read, once."""

    def move(file, change):
        stat, waiting = Path.stat, [change]

        def moved_stat(path, **how):
            if path == file and waiting:
                waiting.pop()(file)
            return stat(path, **how)

        monkeypatch.setattr(Path, "stat", moved_stat)

    return move


def begun(tmp_path):
    folder = tmp_path / "cache" / "song"
    folder.mkdir(parents=True)
    (folder / PARTIAL_SONG).write_text("song.wav")
    return folder, write(folder / "drums.part.wav", music())


def test_a_stem_that_gets_its_final_name_while_the_cache_is_listed_is_listed(tmp_path, moving):
    folder, part = begun(tmp_path)
    size = part.stat().st_size
    moving(part, lambda file: file.rename(folder / "drums.wav"))
    (entry,) = StemCache(tmp_path / "cache").entries()
    assert (entry.stems, entry.size) == (("drums",), size)


def test_an_entry_that_goes_away_while_the_cache_is_listed_is_not_listed(tmp_path, moving):
    folder, part = begun(tmp_path)
    moving(part, lambda _: shutil.rmtree(folder))
    assert StemCache(tmp_path / "cache").entries() == []


def kept(tmp_path):
    return min((tmp_path / "cache").rglob("drums.wav"))


def test_kept_stems_with_flipped_bytes_are_made_again_and_are_reported(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    data = bytearray(kept(tmp_path).read_bytes())
    data[4000:8000] = bytes(b ^ 0x5A for b in data[4000:8000])
    kept(tmp_path).write_bytes(data)
    (outcome,) = outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2
    assert "are damaged; they are made again" in outcome.notes[0]
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * music(), atol=1e-6)
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_stems_of_a_version_without_checksums_get_theirs(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (sums,) = (tmp_path / "cache").rglob("checksums.json")
    sums.unlink()
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 1
    assert sums.is_file()


@pytest.mark.parametrize("damage", ["not json", "another kind of json", "no entry", "not utf-8"])
def test_stems_whose_checksums_are_damaged_are_made_again_and_are_reported(maker, tmp_path, damage):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (sums,) = (tmp_path / "cache").rglob("checksums.json")
    known = json.loads(sums.read_text())
    other = {name: checksum for name, checksum in known.items() if name != "drums.wav"}
    damaged = {"not json": b"{", "another kind of json": b"[1]", "no entry": json.dumps(other).encode()}
    sums.write_bytes(damaged.get(damage, b"\xff\xfe\x00"))
    kept(tmp_path).write_bytes(kept(tmp_path).read_bytes()[:-4000] + bytes(4000))
    (outcome,) = outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2
    assert "are damaged; they are made again" in outcome.notes[0]
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * music(), atol=1e-6)
    assert json.loads(sums.read_text()).keys() == known.keys()


def test_stems_of_a_version_without_checksums_stay_when_others_are_added(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (sums,) = (tmp_path / "cache").rglob("checksums.json")
    known = json.loads(sums.read_text())
    sums.unlink()
    entry = cache_entry.NewEntry(sums.parent, ["guitar"], RATE, 4, print)
    entry.write(np.zeros((1, 2, 4), np.float32))
    entry.commit(path)
    assert json.loads(sums.read_text()).items() > known.items()
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 1


def test_stems_that_vanish_while_they_are_read_are_made_again(maker, tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)

    def vanish(files, blocks):
        shutil.rmtree(files[0].parent)
        return read_cached(files, blocks)

    monkeypatch.setattr(song_separator, "read_cached", vanish)
    (outcome,) = outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert not outcome.error
    assert len(maker.log) == 2
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * music(), atol=1e-6)


@pytest.mark.parametrize("reason", ["a file", "full", "no room"])
def test_a_cache_that_cannot_be_written_costs_no_song(tmp_path, monkeypatch, reason):
    path = write(tmp_path / "a.wav", music())
    if reason == "a file":
        (tmp_path / "cache").write_text("no folder")
    elif reason == "no room":
        monkeypatch.setattr(cache_entry, "check_room", lambda folder, _: check_room(folder, 10**18))
    else:
        write_block = OutputFile.write

        def full(file, block):
            if "cache" in file.target.parts:
                raise cannot_write(file.target, OSError(28, "No space left on device"))
            write_block(file, block)

        monkeypatch.setattr(OutputFile, "write", full)
    (outcome,) = outcomes(job(tmp_path, cache_gb=1.0), path)
    assert not outcome.error
    assert "are not cached" in outcome.notes[0]
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * music(), atol=1e-6)


def test_two_that_keep_the_same_song_do_not_hinder_each_other():
    cache, notes = StemCache(limit_gb=1.0), []
    stems = np.full((1, 2, 10), 0.5, np.float32)
    mine, theirs = (
        cache.tee(
            iter([(stems[0], stems)] * 2),
            "key",
            Path("a.wav"),
            stems=("drums",),
            rate=RATE,
            frames=20,
            warn=notes.append,
        )
        for _ in range(2)
    )
    assert len([next(mine), next(theirs), *mine, *theirs]) == 4
    assert notes == []
    assert cache.find("key", ("drums",), RATE, 20)


def test_what_a_killed_process_left_in_the_cache_is_listed_and_cleared(tmp_path):
    left = write(tmp_path / "cache" / "key" / "drums.part.wav", music())
    cache = StemCache()
    assert cache.entries() == []
    assert cache.leftovers() == [left.parent]
    cache.clear()
    assert not left.exists()
