"""A disk that is full at any write of a cache: one message, no earlier song lost, no file left over."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from requirements import require_package

from stream_sep.errors import AudioFileError
from stream_sep.files import disk_space
from stream_sep.training.data import folder_cache, h5_cache
from stream_sep.training.data.cache import RATE, build_cache, check_cache, read_index

require_package("h5py", "train")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are POSIX")

KINDS = ["cache", "cache.h5"]
SECONDS = 2  # of the fixture `songs`
SONG = 2 * SECONDS * RATE * 4  # bytes of its two stems

LIMITED = """
import resource, sys
from pathlib import Path
from stream_sep.errors import AudioFileError
from stream_sep.training.data.cache import build_cache
from stream_sep.training.data.layouts import find_stem_songs
songs = find_stem_songs(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    build_cache(songs, Path(sys.argv[2]), print)
except AudioFileError as error:
    print("ERROR", error)
"""


def names(path):
    return sorted(song.name for song in read_index(path))


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("cache", 100),
        ("cache", SONG // 4),
        ("cache", SONG - 1),
        ("cache.h5", SONG - 1),
        ("cache.h5", 3 * SONG),
        ("cache.h5", 4 * SONG),
    ],
)
def test_a_write_that_fails_gives_one_message_and_keeps_earlier_songs(songs, tmp_path, kind, limit):
    """Writes beyond a size fail in a process of their own, as on a full disk."""
    path = tmp_path / kind
    build_cache(songs[:1], path)
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "songs"), str(path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cannot be written (" in done.stdout
    assert "free some space" in done.stdout
    assert "Traceback" not in done.stderr
    assert names(path) == [songs[0].name]
    assert check_cache(path) == []
    parts = [each for each in tmp_path.rglob("*.part*") if each.is_file()]
    assert parts == []
    assert build_cache(songs, path) == 2
    assert names(path) == [song.name for song in songs]
    assert check_cache(path) == []


@pytest.mark.parametrize(("kind", "module"), [("cache", folder_cache), ("cache.h5", h5_cache)])
def test_room_is_checked_before_anything_is_written(songs, tmp_path, monkeypatch, kind, module):
    path = tmp_path / kind
    build_cache(songs[:1], path)
    free = 2 * SONG if module is h5_cache else 1000  # for the decoded songs, but not for these and the old one
    usage = SimpleNamespace(free=free)
    if module is h5_cache:
        monkeypatch.setattr(folder_cache, "check_room", lambda *_arguments: None)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(AudioFileError, match=r"GB are needed in .* are free; free some space, or name another f"):
        build_cache(songs, path)
    assert names(path) == [songs[0].name]
    monkeypatch.undo()
    if module is h5_cache:
        monkeypatch.setattr(folder_cache, "_add", lambda *_arguments: pytest.fail("it decodes again"))
    assert build_cache(songs, path) == 2
    assert names(path) == [song.name for song in songs]


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_that_cannot_be_written_gives_one_message(songs, tmp_path, monkeypatch, kind):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    path = tmp_path / kind
    build_cache(songs[:1], path)
    monkeypatch.setattr(folder_cache, "atomic_write", full)
    with pytest.raises(AudioFileError, match=r"cannot be written \(no space left on device\); free some space"):
        build_cache(songs, path)
    monkeypatch.undo()
    assert names(path) == [songs[0].name]
    assert build_cache(songs, path) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_where_no_folder_can_be_gives_one_message(songs, tmp_path, kind):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AudioFileError, match="cannot be written"):
        build_cache(songs, tmp_path / "file" / kind)
