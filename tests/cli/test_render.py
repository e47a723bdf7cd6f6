"""``stream-sep render``, called in this process."""

from dataclasses import replace

import pytest
import soundfile
from noise import uniform_noise

from stream_sep import AudioFileError
from stream_sep.cli import render
from stream_sep.files import disk_space

RATE = 44100


def test_a_song_that_states_no_length_is_rendered_while_there_is_room(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "song.wav", uniform_noise(8 * RATE).T, RATE, subtype="FLOAT")
    opened = render.open_song
    monkeypatch.setattr(render, "open_song", lambda path: replace(opened(path), seconds=0.0))
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: 5 * 8 * RATE)  # a second of the mix and four stems
    with pytest.raises(AudioFileError, match="are needed"):
        render.render_file(tmp_path / "song.wav", tmp_path / "stems", "passthrough")
    assert not [*(tmp_path / "stems").glob("*")]
    monkeypatch.undo()
    assert render.render_file(tmp_path / "song.wav", tmp_path / "stems", "passthrough") == 8 * RATE
