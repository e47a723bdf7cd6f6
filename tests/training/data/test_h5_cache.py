"""Caches in one HDF5 file: the same sound as in a folder, whole after any kill, bounded in memory."""

import dataclasses
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from requirements import require_package

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.protocols import STEMS
from stream_sep.training.data import folder_cache, h5_cache
from stream_sep.training.data.cache import RATE, build_cache, check_cache, drop_songs, map_song, read_index
from stream_sep.training.data.layouts import find_stem_songs

require_package("h5py", "train")
require_package("torch", "train")

import h5py
import torch

from stream_sep.training.data.crop import crop
from stream_sep.training.data.store import load_dataset


@pytest.fixture
def songs(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        for stem in STEMS:
            path = tmp_path / f"songs/Artist {number} - Song/{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal((RATE // 4 + number, 2)), RATE)
    return find_stem_songs(tmp_path / "songs")


def build(songs, path):
    return build_cache(songs, path)


def test_it_holds_the_same_songs_as_a_folder(songs, tmp_path):
    songs[1] = dataclasses.replace(songs[1], max_hz=7500.0)
    build(songs, tmp_path / "folder")
    assert build(songs, tmp_path / "c.h5") == 3
    ours = {song.name: song for song in read_index(tmp_path / "c.h5")}
    for song in read_index(tmp_path / "folder"):
        found = ours[song.name]
        for name in ("stems", "frames", "gain", "sha256", "silent", "max_hz"):
            assert getattr(found, name) == getattr(song, name)
        for one, other in zip(map_song(tmp_path / "c.h5", found), map_song(tmp_path / "folder", song), strict=True):
            assert np.array_equal(one[:], other)
            assert np.array_equal(one[100:4000], other[100:4000])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.h5", "c.h5.levels", "folder", "songs"]


def test_crops_are_the_same_to_the_bit(songs, tmp_path):
    build(songs, tmp_path / "folder")
    build(songs, tmp_path / "c.h5")
    folder, file = (
        load_dataset([(tmp_path / name, 1.0)], validation=False, percent=0, device=torch.device("cpu"))
        for name in ("folder", "c.h5")
    )
    order = [file.names.index(name) for name in folder.names]
    rows = torch.arange(3).repeat(4)
    starts = torch.tensor([-50, 0, 3000, 11000] * 3).sort().values
    rates = torch.linspace(0.8, 1.2, 12)
    for stem in STEMS:
        one = crop(folder.stems[stem], rows, starts, rates, 2000)
        other = crop(file.stems[stem], torch.tensor(order)[rows], starts, rates, 2000)
        assert torch.equal(one, other)


@pytest.mark.parametrize("where", ["decoding", "writing", "renaming"])
def test_a_build_that_was_killed_goes_on_and_leaves_a_whole_file(songs, tmp_path, monkeypatch, where):
    path = tmp_path / "c.h5"
    build(songs[:1], path)
    before = path.read_bytes()
    calls = []

    def killed(original):
        def call(*given):
            calls.append(given)
            if len(calls) == 2 or where == "renaming":
                raise KeyboardInterrupt
            return original(*given)

        return call

    module, function = {
        "decoding": (folder_cache, "_add"),
        "writing": (h5_cache, "_add"),
        "renaming": (h5_cache.os, "fsync"),
    }[where]
    if where == "renaming":  # of the file, not of the songs that are decoded before it
        build_cache(songs, h5_cache._decoded(path))
    monkeypatch.setattr(module, function, killed(getattr(module, function)))
    with pytest.raises(KeyboardInterrupt):
        build(songs, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    decoded = len(list(h5_cache._decoded(path).glob("*.i16")))
    assert decoded >= 1
    assert build(songs, path) == 2
    assert len(read_index(path)) == 3
    assert check_cache(path) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.h5", "c.h5.levels", "songs"]


def test_a_broken_song_leaves_the_others(songs, tmp_path):
    broken = songs[1].sources["drums"][0].path
    broken.write_bytes(b"no sound")
    with pytest.raises(AudioFileError, match="drums"):
        build(songs, tmp_path / "c.h5")
    assert {song.name for song in read_index(tmp_path / "c.h5")} == {songs[0].name, songs[2].name}


def test_damage_is_found_and_mended(songs, tmp_path):
    path = tmp_path / "c.h5"
    build(songs, path)
    song = read_index(path)[1]
    with h5py.File(path, "r+") as file:
        file[f"songs/{song.file}/sound"][0, 5] += 1
    assert check_cache(path) == [song.name]
    drop_songs(path, [song.name])
    assert build(songs, path) == 1
    assert check_cache(path) == []


def test_a_file_is_opened_once_for_all_crops_and_anew_when_replaced(songs, tmp_path, monkeypatch):
    path, opened, open_file = tmp_path / "c.h5", [], h5_cache._open
    build(songs, path)
    index = read_index(path)
    sources = [source for song in index for source in map_song(path, song)]
    monkeypatch.setattr(h5_cache, "_open", lambda file: opened.append(file) or open_file(file))
    first = [source[100:200] for _ in range(5) for source in sources]
    assert len(opened) == 1
    drop_songs(path, [index[0].name])
    opened.clear()
    again = [source[100:200] for _ in range(5) for source in sources[4:]]
    assert len(opened) == 1
    assert all(np.array_equal(one, other) for one, other in zip(first[4:12], again[:8], strict=True))
    with pytest.raises(ConfigError, match="is damaged"):
        sources[0][100:200]
    path.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        sources[4][100:200]


def _read_in_child(source, pipe):
    pipe.send(source[100:200])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes are not forked here")
def test_a_forked_process_opens_the_file_for_itself(songs, tmp_path):
    build(songs, tmp_path / "c.h5")
    source = map_song(tmp_path / "c.h5", read_index(tmp_path / "c.h5")[1])[2]
    expected = source[100:200]
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_read_in_child, args=(source, theirs))
    child.start()
    assert np.array_equal(ours.recv(), expected)
    child.join()
    assert child.exitcode == 0
    assert np.array_equal(source[100:200], expected)


@pytest.mark.parametrize("content", [b"", b"no sound", None])
def test_what_is_no_cache_gives_one_error_message(tmp_path, content):
    if content is None:
        h5py.File(tmp_path / "c.h5", "w").close()
    else:
        (tmp_path / "c.h5").write_bytes(content)
    with pytest.raises(ConfigError, match=r"c\.h5 (is not a cache|cannot be read)"):
        read_index(tmp_path / "c.h5")


MEMORY = """
import resource, sys, torch
from pathlib import Path
from stream_sep.training.data.cache import map_song, read_index
from stream_sep.training.data.crop import crop_resampled
path, step = Path(sys.argv[1]), int(sys.argv[2])
(song,) = read_index(path)
(source,) = map_song(path, song)
def crops(numbers):
    sounding = sum(bool(crop_resampled(source, number * step + 500, 1.05, 22050).any()) for number in numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sounding
first, _ = crops(range(20))
last, sounding = crops(range(500))
print((last - first) // 1024, sounding)
"""


def test_memory_stays_bounded_however_long_a_song_is(tmp_path):
    """500 crops of a file of 2 GB, all over it; only the chunks that they read are on the disk."""
    frames, crops, chunk = 500_000_000, 500, 32768
    step = frames // crops
    with h5py.File(tmp_path / "c.h5", "w") as file:
        group = file.create_group("songs/x")
        sound = group.create_dataset("sound", (1, frames, 2), np.int16, chunks=(1, chunk, 2))
        block = np.random.default_rng(0).integers(-9, 9, (2 * chunk, 2), np.int16)
        for number in range(crops):
            first = number * step // chunk * chunk
            sound[0, first : first + 2 * chunk] = block
        group.attrs.update({"name": "x", "gain": 1.0, "sha256": "", "sources": '["drums"]', "silent": "[]"})
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "c.h5"), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    growth, sounding = map(int, done.stdout.split())
    assert growth < 50
    assert sounding == crops
