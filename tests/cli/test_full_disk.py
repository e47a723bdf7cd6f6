"""A disk that is full during a run: the command fails, and claims no files."""

import errno

import numpy as np
import pytest
import soundfile

from stream_sep.lowlevel.streaming_wav import StreamingWavWriter

RATE = 44100


@pytest.fixture
def full_disk(monkeypatch):
    """Let recordings take 70,000 bytes."""
    room, put = [70_000], StreamingWavWriter._put

    def put_while_there_is_room(file, at, data):
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(file, at, data)

    monkeypatch.setattr(StreamingWavWriter, "_put", put_while_there_is_room)


@pytest.mark.parametrize("verb", ["demo", "play"])
@pytest.mark.usefixtures("full_disk")
def test_a_recording_that_ends_on_a_full_disk_is_a_failure(command, tmp_path, verb):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.ones((2 * RATE, 2)), RATE)
    arguments = {"demo": ["--out", "takes"], "play": ["a.wav", "--record", "takes", "--no-refine"]}[verb]
    code, output, errors = command(verb, *arguments, "--no-audio", "--model", "passthrough", "--duration", "1.5")
    assert code == 1
    assert "no space left" in errors.lower()
    assert "written to" not in output + errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("verb", ["demo", "play"])
def test_a_recording_on_a_disk_with_room_is_no_failure(command, tmp_path, verb):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.ones((2 * RATE, 2)), RATE)
    arguments = {"demo": ["--out", "takes"], "play": ["a.wav", "--record", "takes", "--no-refine"]}[verb]
    code, output, _ = command(verb, *arguments, "--no-audio", "--model", "passthrough", "--duration", "1.5")
    assert code == 0
    assert "written to" in output
