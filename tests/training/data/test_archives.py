"""Packs of training data come from anywhere: they write only where they shall, and no more than they hold."""

import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
import soundfile

from stream_sep.errors import AudioFileError
from stream_sep.files import disk_space
from stream_sep.protocols import STEMS
from stream_sep.training.data.archives import pack_caches, unpack
from stream_sep.training.data.cache import RATE, build_cache, read_index
from stream_sep.training.data.layouts import find_stem_songs


def quiet(_name):
    """Report nothing."""


def ogg(frames=1000):
    data = io.BytesIO()
    sound = 0.1 * np.random.default_rng(0).standard_normal((frames, 2))
    soundfile.write(data, sound, RATE, format="OGG", subtype="VORBIS")
    return data.getvalue()


def archive(path, *, entry="cache/song.zip", name="song", stem="vocals", method=zipfile.ZIP_STORED):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", method) as file:
        file.writestr("song.json", json.dumps({"name": name, "stems": [stem]}))
        file.writestr(f"{stem}.ogg", ogg())
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(entry, inner.getvalue())
    return path


def test_a_pack_becomes_a_cache_again(tmp_path):
    for stem in STEMS:
        (tmp_path / "songs/one").mkdir(parents=True, exist_ok=True)
        sound = 0.1 * np.random.default_rng(len(stem)).standard_normal((RATE, 2))
        soundfile.write(tmp_path / f"songs/one/{stem}.wav", sound, RATE, subtype="FLOAT")
    (dull,) = (dataclasses.replace(song, max_hz=7500.0) for song in find_stem_songs(tmp_path / "songs"))
    build_cache([dull], tmp_path / "cache")
    (path,) = pack_caches([tmp_path / "cache"], tmp_path / "pack", part_mb=48, quality=0.3, report=quiet)
    assert unpack(path, tmp_path / "there") == 1
    (song,) = read_index(tmp_path / "there/cache")
    assert (song.name, sorted(song.stems), song.frames, song.max_hz) == ("one", sorted(STEMS), RATE, 7500.0)


def test_a_pack_for_which_there_is_no_room_leaves_no_file(tmp_path, monkeypatch):
    (tmp_path / "songs/one").mkdir(parents=True)
    soundfile.write(tmp_path / "songs/one/vocals.wav", np.full((RATE, 2), 0.1), RATE)
    build_cache(find_stem_songs(tmp_path / "songs"), tmp_path / "cache")
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: 1000)
    with pytest.raises(AudioFileError, match="are needed"):
        pack_caches([tmp_path / "cache"], tmp_path / "packs/pack", part_mb=48, quality=0.3, report=quiet)
    assert not [*(tmp_path / "packs").iterdir()]


@pytest.mark.parametrize(
    "names",
    [
        {"entry": "../evil/song.zip"},
        {"entry": "/tmp/evil/song.zip"},
        {"entry": "..\\evil/song.zip"},
        {"entry": "song.zip"},
        {"entry": "a/b/song.zip"},
        {"entry": "../song.zip"},
        {"stem": "../../evil"},
        {"stem": "/tmp/evil"},
        {"stem": ".."},
        {"stem": "a\0b"},
        {"name": 7},
    ],
    ids=str,
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, names):
    path = archive(tmp_path / "a.zip", **names)
    (tmp_path / "inside").mkdir()
    with pytest.raises(AudioFileError, match="cannot be unpacked"):
        unpack(path, tmp_path / "inside/there")
    assert [each.name for each in tmp_path.iterdir() if each.name != "inside"] == ["a.zip"]
    assert not list((tmp_path / "inside").rglob("*"))


def test_an_archive_that_holds_more_than_it_is_large_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", method=zipfile.ZIP_DEFLATED)
    with pytest.raises(AudioFileError, match="data pack"):
        unpack(path, tmp_path / "there")


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no archive", b"x" * 10_000])
def test_what_is_no_archive_gives_an_error_message(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(AudioFileError, match="copy it again"):
        unpack(tmp_path / "a.zip", tmp_path / "there")


def test_a_song_longer_than_libsndfile_takes_at_once_is_packed(tmp_path):
    (tmp_path / "songs/long").mkdir(parents=True)
    sound = np.zeros((2**21 + 1000, 2), np.float32)
    sound[::997] = 0.1
    soundfile.write(tmp_path / "songs/long/vocals.wav", sound, RATE, subtype="FLOAT")
    build_cache(find_stem_songs(tmp_path / "songs"), tmp_path / "cache")
    (path,) = pack_caches([tmp_path / "cache"], tmp_path / "pack", part_mb=48, quality=0.1, report=quiet)
    assert path.is_file()
