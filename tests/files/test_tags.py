"""Titles, artists and covers go from the song to its stems."""

import numpy as np
import pytest
import soundfile
from song_files import RATE, job, music, outcomes, read, write

from stream_sep.files.formats import AudioFormat

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


def test_without_ffmpeg_lost_tags_are_reported_and_files_are_written(monkeypatch, tmp_path):
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        file.title = "Song"
        file.write(music())
    monkeypatch.setenv("PATH", "")
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), path)
    assert outcome.files[0].is_file()
    assert "install ffmpeg" in outcome.notes[0]
