"""Which model ``separate`` takes when none is named."""

import numpy as np
import pytest
import soundfile

from stream_sep.cli import separate as module
from stream_sep.files import song_models
from stream_sep.files.song_models import default_song_model
from stream_sep.separators import DEFAULT_FOR_SONGS
from stream_sep.separators.demucs import local_weights


@pytest.fixture
def song(tmp_path):
    file = tmp_path / "song.wav"
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, (22050, 2)), 44100)
    return file


def has_weights(monkeypatch, *, here):
    monkeypatch.setattr(local_weights, "has_local_weights", lambda _: here)


def test_without_weights_of_demucs_a_bundled_model_separates_and_the_better_one_is_named(command, song, monkeypatch):
    has_weights(monkeypatch, here=False)
    code, output, errors = command("separate", song, "-o", "out")
    assert code == 0
    assert "1 separated" in output
    assert (
        f"separating with the bundled {DEFAULT_FOR_SONGS}; for better stems, '-n htdemucs' downloads 80 MB" in errors
    )
    assert (song.parent / "out" / DEFAULT_FOR_SONGS / "song" / "vocals.wav").is_file()


@pytest.mark.parametrize(
    ("installed", "hint"), [(True, ""), (False, "; that needs Demucs (docs/how-to/separate-files.md), run: ")]
)
def test_hint_says_how_to_install_demucs_where_it_is_missing(monkeypatch, installed, hint):
    monkeypatch.setattr(module, "find_spec", lambda _: object() if installed else None)
    assert module._better_than("live").partition("80 MB")[2].startswith(hint)
    assert bool(module._better_than("live").partition("80 MB")[2]) is not installed


def test_weights_of_demucs_on_this_machine_are_used(monkeypatch):
    has_weights(monkeypatch, here=True)
    assert default_song_model() == "htdemucs"
    has_weights(monkeypatch, here=False)
    assert default_song_model() == DEFAULT_FOR_SONGS


def test_folder_of_weights_is_one_of_demucs(monkeypatch, tmp_path):
    has_weights(monkeypatch, here=False)
    assert song_models.default_song_model(tmp_path) == "htdemucs"
