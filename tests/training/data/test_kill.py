"""A process that is killed while it writes a cache: earlier songs are whole, and the next build adds the others."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from requirements import require_package

from stream_sep.training.data.cache import build_cache, check_cache, map_song, read_index

require_package("h5py", "train")

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")

KILLED = """
import os, signal, sys
from pathlib import Path
from stream_sep.training.data import cache, folder_cache, h5_cache
from stream_sep.training.data.layouts import find_stem_songs

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def after(module, name, calls):
    original, count = getattr(module, name), [0]
    def call(*given):
        done = original(*given)
        count[0] += 1
        if count[0] == calls:
            kill()
        return done
    setattr(module, name, call)

def on_rename(name):
    def hook(event, given):
        if event == "os.rename" and str(given[1]).endswith(name):
            kill()
    sys.addaudithook(hook)

def in_second_chunk(_songs, folder, song):
    group = _songs.create_group(song.file.removesuffix(".i16"))
    sound = group.create_dataset("sound", (2, song.frames, 2), "i2", chunks=(1, 32768, 2))
    sound[0, :70000] = cache.map_song(folder, song)[0][:70000]
    _songs.file.flush()
    kill()

{
    "decoding": lambda: after(folder_cache, "_spool", 3),
    "quantizing": lambda: after(folder_cache, "_quantise", 1),
    "renaming a song": lambda: on_rename(".i16"),
    "renaming the index": lambda: on_rename("index.jsonl"),
    "between songs": lambda: after(folder_cache, "_append", 1),
    "writing": lambda: setattr(h5_cache, "_add", in_second_chunk),
    "written": lambda: after(h5_cache, "_add", 2),
    "renaming": lambda: on_rename("cache.h5"),
}[sys.argv[3]]()
cache.build_cache(find_stem_songs(Path(sys.argv[1])), Path(sys.argv[2]), print)
"""
ANY = ["decoding", "quantizing", "renaming a song", "renaming the index", "between songs"]
PLACES = [("cache", place) for place in ANY] + [
    ("cache.h5", place) for place in [*ANY, "writing", "written", "renaming"]
]


def names(path):
    return sorted(song.name for song in read_index(path))


@pytest.mark.parametrize(("kind", "place"), PLACES)
def test_a_kill_costs_no_earlier_song(songs, tmp_path, kind, place):
    path = tmp_path / kind
    build_cache(songs[:1], path)
    before = [source[:].copy() for source in map_song(path, read_index(path)[0])]
    command = [sys.executable, "-c", KILLED, str(tmp_path / "songs"), str(path), place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert songs[0].name in names(path)
    assert check_cache(path) == []
    kept = next(song for song in read_index(path) if song.name == songs[0].name)
    for one, other in zip(map_song(path, kept), before, strict=True):
        assert np.array_equal(one[:], other)
    build_cache(songs, path)
    assert names(path) == [song.name for song in songs]
    assert check_cache(path) == []
    build_cache(songs, tmp_path / "whole")
    assert {song.sha256 for song in read_index(path)} == {song.sha256 for song in read_index(tmp_path / "whole")}
