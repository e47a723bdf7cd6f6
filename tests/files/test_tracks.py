"""Which songs a command line names, and what their stems are called."""

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from song_files import job, music, outcomes, read, write

from stream_sep.errors import ConfigError, StreamSepError
from stream_sep.files.batch import separate_all
from stream_sep.files.tracks import find_tracks, spooled

pytestmark = pytest.mark.usefixtures("maker")


@pytest.mark.parametrize(
    "name", ["日本語の歌", "Ünïcödé ñ", "поёт", "🎵 {stem}", 'a\'b "c" $x;&', "-n", "line\nbreak"]
)
def test_names_in_any_script(tmp_path, name):
    path = write(tmp_path / "songs" / f"{name}.wav", music(0.1))
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), path)
    assert outcome.files == (tmp_path / "out" / "htdemucs" / name / "drums.wav",)
    assert outcome.files[0].is_file()


def test_a_name_of_dots_stays_in_the_folder(tmp_path):
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "...wav", music(0.1), format="WAV"))
    assert outcome.files[0].parent.parent == tmp_path / "out" / "htdemucs"


def test_folders_keep_their_shape_and_songs_of_one_name_stay_apart(tmp_path):
    for name in ("x/one.wav", "y/one.wav", "one.wav", "one.flac", ".hidden/no.wav", ".no.wav", "notes.txt"):
        if name.endswith(".txt"):
            (tmp_path / "songs" / name).write_text("no song")
        else:
            write(tmp_path / "songs" / name, music(0.1))
    done = outcomes(job(tmp_path, stems=("drums",)), tmp_path / "songs")
    folders = {str(o.files[0].parent.relative_to(tmp_path / "out" / "htdemucs")) for o in done}
    assert folders == {str(Path("x/one")), str(Path("y/one")), "one.wav", "one.flac"}


def test_stems_in_the_folder_are_not_separated_again(tmp_path):
    write(tmp_path / "a.wav", music(0.1))
    for _ in range(2):
        assert len(outcomes(job(tmp_path), tmp_path)) == 1


def test_patterns_name_songs(tmp_path):
    for name in ("a1.wav", "a2.wav", "b.wav"):
        write(tmp_path / name, music(0.1))
    assert [t.name for t in find_tracks([tmp_path / "a*.wav"], tmp_path / "out")] == ["a1", "a2"]


def test_folders_and_patterns_without_a_song_are_refused(tmp_path):
    for named in (tmp_path, tmp_path / "*.wav"):
        with pytest.raises(StreamSepError, match="no song"):
            find_tracks([named], tmp_path / "out")


def targets_of(tmp_path, *arguments):
    settings = job(tmp_path)
    return [
        settings.target(track, "x").relative_to(settings.folder).parent.as_posix()
        for track in find_tracks(arguments, settings.out)
    ]


@pytest.mark.parametrize(
    ("songs", "arguments", "expected"),
    [
        (("a/1.wav", "b/1.wav"), ("a", "b"), ["a/1", "b/1"]),
        (("a/1.wav", "b/1.wav"), ("a/1.wav", "b/1.wav"), ["a/1", "b/1"]),
        (("a/x/1.wav", "b/x/1.wav"), ("a", "b"), ["a/x/1", "b/x/1"]),
        (("p/a/1.wav", "q/a/1.wav"), ("p/a", "q/a"), ["p/a/1", "q/a/1"]),
        (("a/1.wav", "b/1.wav", "b/1.flac"), ("a", "b"), ["a/1", "1.flac", "b/1"]),
        (("1.wav", "1.flac"), ("1.wav", "1.flac"), ["1.wav", "1.flac"]),
        (("a/1.wav", "b/2.wav"), ("a", "b"), ["1", "2"]),
    ],
    ids=str,
)
def test_songs_of_one_name_get_as_much_of_their_paths_as_makes_them_unique(tmp_path, songs, arguments, expected):
    for name in songs:
        write(tmp_path / name, music(0.01))
    assert targets_of(tmp_path, *(tmp_path / name for name in arguments)) == expected


def test_names_that_differ_only_in_case_do_not_meet_on_any_disk(tmp_path):
    for name in ("Song.wav", "song.wav"):
        write(tmp_path / name, music(0.01))
    targets = targets_of(tmp_path, tmp_path)
    assert len({target.casefold() for target in targets}) == 2


def test_bytes_that_are_no_utf_8_become_letters(tmp_path):
    path = tmp_path / os.fsdecode(b"Beyonc\xe9.wav")
    try:
        shutil.copy(write(tmp_path / "plain.wav", music(0.1)), path)
    except OSError:
        pytest.skip("names are UTF-8 on this system")
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), path)
    assert outcome.files[0].parent.name == "Beyoncé"
    assert len(read(outcome.files[0])) == len(music(0.1))


def test_part_in_a_name_and_videos_are_songs_of_a_folder(tmp_path):
    names = ["Suite.part.1.wav", "a.part.wav", "film.mkv"]
    for name in names:
        (tmp_path / "songs").mkdir(exist_ok=True)
        (tmp_path / "songs" / name).touch()
    assert [track.path.name for track in find_tracks([tmp_path / "songs"], tmp_path / "out")] == names


def test_a_template_that_gives_two_songs_one_file_is_refused(tmp_path):
    paths = [write(tmp_path / name, music(0.01)) for name in ("a.wav", "b.wav")]
    with pytest.raises(ConfigError, match="one name"):
        outcomes(job(tmp_path, filename="{stem}.{ext}"), *paths)


def test_a_song_comes_through_a_pipe(tmp_path):
    data, pipe = write(tmp_path / "a.wav", music(3.0)).read_bytes(), tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(data,))
    feeder.start()
    with spooled(find_tracks([pipe], tmp_path / "out")) as tracks:
        ((_, outcome),) = separate_all(tracks, job(tmp_path, stems=("drums",)), lambda *_: None)
    feeder.join()
    assert outcome.files[0].parent.name == "pipe"
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * music(3.0), atol=1e-6)
