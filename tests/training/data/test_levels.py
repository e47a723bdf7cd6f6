"""Levels of a cache: stored when it is built, or when they are first used, so that a start reads no sound."""

import shutil
import sqlite3

import pytest
from requirements import require_package

require_package("torch", "train")
require_package("h5py", "train")

import torch

from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.training.data import levels, store
from stream_sep.training.data.cache import build_cache, map_song, read_index
from stream_sep.training.data.layouts import find_stem_songs
from stream_sep.training.data.levels import LevelStore, levels_path, measure_levels, measure_loudness
from stream_sep.training.data.store import load_dataset

PAIR = SourceGroups.preset("drums-no_drums")


class Unread:
    """A source that a start must not read."""

    def __init__(self, frames):
        self._frames = frames

    def __len__(self):
        return self._frames

    def __getitem__(self, frames):
        pytest.fail("it reads sound")


def load(cache, groups=FOUR):
    device = torch.device("cpu")
    return load_dataset([(cache, 1.0)], validation=False, percent=0, device=device, groups=groups)


def forbid_reading(monkeypatch):
    monkeypatch.setattr(store, "map_song", lambda _cache, song: [Unread(song.frames) for _ in song.stems])


def same(one, other):
    for stem, samples in one.stems.items():
        assert torch.equal(samples.active, other.stems[stem].active)
        assert torch.equal(samples.gain, other.stems[stem].gain)
    return torch.equal(one.norms, other.norms)


@pytest.fixture(params=["cache", "cache.h5"])
def cache(home, tmp_path, request):
    build_cache(find_stem_songs(home / "songs"), tmp_path / request.param)
    return tmp_path / request.param


def test_a_start_reads_no_sound(cache, monkeypatch):
    song = read_index(cache)[2]
    frames = map_song(cache, song)
    forbid_reading(monkeypatch)
    dataset = load(cache)
    gain = dataset.stems["drums"].gain[2]
    assert float(gain) == pytest.approx(0.1 / measure_loudness(frames))
    power = [measure_levels(map_song(cache, each)[1:2]).power for each in read_index(cache)]
    expected = sum(float(g) * p**0.5 for g, p in zip(dataset.stems["drums"].gain, power, strict=True)) / len(power)
    assert float(dataset.norms[1]) == pytest.approx(expected, rel=1e-6)


def test_levels_of_older_caches_and_of_sums_are_computed_once(cache, monkeypatch):
    fresh = load(cache)
    levels_path(cache).unlink()
    first, first_pair = load(cache), load(cache, PAIR)
    forbid_reading(monkeypatch)
    assert same(first, fresh)
    assert same(load(cache), fresh)
    assert same(load(cache, PAIR), first_pair)


def test_damaged_levels_are_computed_anew(cache, monkeypatch):
    fresh = load(cache)
    levels_path(cache).write_bytes(b"no levels" * 1000)
    assert same(load(cache), fresh)
    forbid_reading(monkeypatch)
    assert same(load(cache), fresh)


def test_where_nothing_can_be_stored_levels_are_computed_each_time(cache):
    fresh = load(cache)
    levels_path(cache).unlink()
    levels_path(cache).mkdir()  # no file can be opened there
    assert same(load(cache), fresh)


def test_stored_levels_are_used_where_no_others_can_be_stored(cache, monkeypatch):
    opened, measured, measure = LevelStore._open, [], levels.measure_levels

    def read_only(self):
        opened(self)
        self._rows.execute("PRAGMA query_only = ON")

    monkeypatch.setattr(LevelStore, "_open", read_only)
    monkeypatch.setattr(levels, "measure_levels", lambda sound: measured.append(len(sound)) or measure(sound))
    load(cache, PAIR)
    assert measured == [3] * 6  # the rest of six songs, and no drums


def test_damage_inside_the_file_is_found_when_it_is_read(cache, monkeypatch):
    fresh, path = load(cache), levels_path(cache)
    data = bytearray(path.read_bytes())
    data[200:] = b"\xff" * (len(data) - 200)
    path.write_bytes(data)
    assert same(load(cache), fresh)
    load(cache)
    forbid_reading(monkeypatch)
    assert same(load(cache), fresh)


def test_a_full_disk_costs_no_more_than_the_stored_levels(cache, monkeypatch):
    fresh = load(cache)
    levels_path(cache).unlink()
    opened = LevelStore._open

    def limited(self):
        opened(self)
        self._rows.execute("PRAGMA max_page_count = 3")

    monkeypatch.setattr(LevelStore, "_open", limited)
    assert same(load(cache), fresh)
    monkeypatch.undo()
    with sqlite3.connect(levels_path(cache)) as rows:
        assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert same(load(cache), fresh)


def test_a_song_that_changes_has_new_levels(home, tmp_path):
    shutil.copytree(home / "songs", tmp_path / "songs")
    songs = find_stem_songs(tmp_path / "songs")
    build_cache(songs[:1], tmp_path / "one")
    (tmp_path / "songs/Artist 0 - Song/vocals.wav").unlink()
    build_cache(find_stem_songs(tmp_path / "songs")[:1], tmp_path / "two")
    with LevelStore(tmp_path / "one") as stored:
        stored.copy_from(tmp_path / "two")
        found = [
            stored.loudness(song, map_song(tmp_path / name, song))
            for name in ("one", "two")
            for song in read_index(tmp_path / name)
        ]
    assert found[0] > found[1]
