"""What a data set's folders hold is used, or named."""

import numpy as np
import soundfile
from typer.testing import CliRunner

from stream_sep.cli.data import app
from stream_sep.training.data.layouts import find_stem_songs, unused_files


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((2000, 2)), 44100)
    return path


def test_stems_are_found_in_letters_of_either_case(tmp_path):
    for name in ("Vocals.wav", "DRUMS.WAV", "bass.wav"):
        write(tmp_path / "song" / name)
    (song,) = find_stem_songs(tmp_path)
    assert {stem: source.path.name for stem, (source,) in song.sources.items()} == {
        "vocals": "Vocals.wav",
        "drums": "DRUMS.WAV",
        "bass": "bass.wav",
    }


def test_sounds_that_belong_to_no_stem_are_named_but_for_mixtures(tmp_path):
    for name in ("a/vocals.wav", "a/mixture.wav", "a/Gitarre.wav", "b/Gesang.flac", "a/notes.txt"):
        write(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("no sound")
    found = unused_files(tmp_path, find_stem_songs(tmp_path))
    assert found == [tmp_path / "a/Gitarre.wav", tmp_path / "b/Gesang.flac"]


def test_data_build_reports_what_it_leaves_out(tmp_path):
    for name in ("vocals.wav", "Gitarre.wav"):
        write(tmp_path / "songs/a" / name)
    received = CliRunner().invoke(app, ["build", str(tmp_path / "songs"), str(tmp_path / "cache")])
    assert received.exit_code == 0
    assert "Gitarre.wav" in received.output
