"""Titles, artists and covers go from the song to its stems."""

import os
import shutil

import numpy as np
import pytest
import soundfile
from song_files import RATE, job, music, outcomes, read, write

from stream_sep.files.formats import AudioFormat
from stream_sep.files.tags import read_tags

pytestmark = pytest.mark.usefixtures("maker")


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg"])
def test_tags_are_kept_and_the_sound_is_untouched(ffmpeg, tmp_path, name):
    path = write(tmp_path / "plain.wav", music())
    song = tmp_path / "a.flac"
    ffmpeg("-i", path, "-metadata", "title=Lied für Élise", "-metadata", "artist=我", song)
    kinds = {"format": AudioFormat(name), "stems": ("drums",)}
    (bare,) = outcomes(job(tmp_path, **kinds, tags=False), song)
    untouched = read(bare.files[0])
    assert not tags_of(bare.files[0]) & {"title": "Lied für Élise", "artist": "我"}.items()
    (outcome,) = outcomes(job(tmp_path, **kinds, overwrite=True), song)
    assert tags_of(outcome.files[0]) >= {"title": "Lied für Élise", "artist": "我"}.items()
    sound = read(outcome.files[0])
    frames = min(len(sound), len(untouched))
    assert abs(len(sound) - len(untouched)) <= (1152 * 2 if name == "mp3" else 0)
    np.testing.assert_allclose(sound[:frames], untouched[:frames], atol=0)


def tags_of(path):
    from stream_sep.files.ffmpeg import probe_streams  # noqa: PLC0415 - only what needs it

    facts = probe_streams(path)
    holders = (facts["format"], *facts["streams"])
    return {key.lower(): value for holder in holders for key, value in holder.get("tags", {}).items()}.items()


@pytest.mark.parametrize("name", ["flac", "mp3", "stem.mp4"])
def test_a_cover_is_kept(ffmpeg, tmp_path, name):
    from stream_sep.files.ffmpeg import probe_streams  # noqa: PLC0415 - only what needs it

    plain, cover, song = write(tmp_path / "plain.wav", music()), tmp_path / "c.png", tmp_path / "a.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover)
    ffmpeg("-i", plain, "-i", cover, "-map", "0", "-map", "1", "-disposition:v", "attached_pic", song)
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat(name)), song)
    assert not outcome.error
    assert "video" in {stream["codec_type"] for stream in probe_streams(outcome.files[0])["streams"]}


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "stem.mp4"])
def test_a_film_is_no_cover(ffmpeg, tmp_path, name, kind):
    from stream_sep.files.ffmpeg import probe_streams  # noqa: PLC0415 - only what needs it

    plain, song = write(tmp_path / "plain.wav", music()), tmp_path / f"film.{kind}"
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=10:d=0.5", "-c:v", "mpeg4"]
    ffmpeg("-i", plain, *picture, "-c:a", "aac", "-metadata", "title=Film", song)
    assert "video" in {stream["codec_type"] for stream in probe_streams(song)["streams"]}
    assert read_tags(song).cover is None
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat(name), overwrite=True), song)
    assert not outcome.error
    for file in outcome.files:
        assert {stream["codec_type"] for stream in probe_streams(file)["streams"]} == {"audio"}
        assert tags_of(file) >= {"title": "Film"}.items()


@pytest.fixture
def standard_input(monkeypatch, tmp_path):
    """Give this process a standard input, and ffmpeg's programs a greed for theirs; return what is left of it."""
    programs, text = tmp_path / "programs", b"the next song of a shell's loop"
    programs.mkdir()
    for name in ("ffmpeg", "ffprobe"):
        (programs / name).write_text(f'#!/bin/sh\ncat > /dev/null\nexec {shutil.which(name)} "$@"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    (tmp_path / "input").write_bytes(text)
    kept = os.dup(0)
    with (tmp_path / "input").open("rb") as file:
        os.dup2(file.fileno(), 0)
    yield lambda: os.read(0, 100) == text
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.skipif(os.name != "posix", reason="programs are shell scripts here")
def test_the_input_of_a_shell_loop_is_left_alone(ffmpeg, tmp_path, request):
    plain, cover, song = write(tmp_path / "plain.wav", music()), tmp_path / "c.png", tmp_path / "a.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover)
    ffmpeg("-i", plain, "-i", cover, "-map", "0", "-map", "1", "-disposition:v", "attached_pic", song)
    is_left = request.getfixturevalue("standard_input")
    assert read_tags(song).cover
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat("mp3")), song)
    assert not outcome.error
    assert is_left()


def test_without_ffmpeg_lost_tags_are_reported_and_files_are_written(monkeypatch, tmp_path):
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        file.title = "Song"
        file.write(music())
    monkeypatch.setenv("PATH", "")
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), path)
    assert outcome.files[0].is_file()
    assert "install ffmpeg" in outcome.notes[0]
