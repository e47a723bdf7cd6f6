"""Recordings equal the output, and a full disk leaves whole files behind."""

import numpy as np
import pytest
import soundfile

from stream_sep import AudioFileError, Engine, EngineConfig, OfflineBackend
from stream_sep.lowlevel.streaming_wav import StreamingWavWriter

SONG = np.random.default_rng(1).standard_normal((2, 128 * 200)).astype(np.float32) * 0.1


def play(folder, report=lambda _: None):
    backend = OfflineBackend()
    config = EngineConfig(model="passthrough", worker="inline", record=folder)
    with Engine(backend, config, report=report) as engine:
        engine.set("stem/other/gain_db", -6)
        return engine, backend.feed(SONG)


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def test_the_files_hold_the_buses_without_the_latency(tmp_path):
    engine, buses = play(tmp_path)
    for name, bus in zip(("mix", *engine.stems), buses, strict=True):
        assert np.array_equal(read(tmp_path / f"{name}.wav"), bus[:, engine.latency.engine :])


def test_full_disk_ends_with_one_message_and_whole_files(tmp_path, monkeypatch):
    room, real = [70_000], StreamingWavWriter._put

    def put(file, at, data):
        more = max(at + len(data) - file.path.stat().st_size, 0)
        if more > room[0]:
            real(file, at, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        room[0] -= more
        real(file, at, data)

    monkeypatch.setattr(StreamingWavWriter, "_put", put)
    received = []
    engine, buses = play(tmp_path, received.append)
    assert len([message for message in received if "no space left" in message]) == 1
    assert "no space left" in engine.recording_error
    monkeypatch.undo()
    late, names = engine.latency.engine, ("mix", *engine.stems)
    sounds = [read(tmp_path / f"{name}.wav") for name in names]
    assert len({sound.shape for sound in sounds}) == 1
    frames = sounds[0].shape[1]
    assert 0 < frames < buses.shape[2]
    for sound, bus in zip(sounds, buses, strict=True):
        np.testing.assert_array_equal(sound, bus[:, late : late + frames])


def test_no_take_is_written_over_by_a_later_one(tmp_path):
    first, _ = play(tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    second, buses = play(tmp_path / "out")
    third, _ = play(tmp_path / "out")
    assert {path: path.read_bytes() for path in before} == before
    folders = [tmp_path / "out", tmp_path / "out" / "take-2", tmp_path / "out" / "take-3"]
    assert [engine.recording_folder for engine in (first, second, third)] == folders
    assert np.array_equal(read(folders[1] / "other.wav"), buses[-1][:, second.latency.engine :])


def test_one_file_of_an_earlier_take_is_enough_to_leave_it_alone(tmp_path):
    (tmp_path / "bass.wav").write_bytes(b"a take")
    (tmp_path / "notes.txt").write_text("of an earlier evening")
    engine, _ = play(tmp_path)
    assert engine.recording_folder == tmp_path / "take-2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bass.wav", "notes.txt", "take-2"]
    assert (tmp_path / "bass.wav").read_bytes() == b"a take"


def test_take_in_which_nothing_was_played_leaves_no_files(tmp_path):
    config = EngineConfig(model="passthrough", worker="inline", record=tmp_path / "out")
    Engine(OfflineBackend(), config).stop()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_by_name(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(AudioFileError, match="taken"):
        play(tmp_path / "taken")


def test_frames_not_read_in_time_are_counted():
    backend = OfflineBackend()
    backend.wants_recording = True
    with Engine(backend, EngineConfig(model="passthrough", worker="inline")) as engine:
        backend.feed(np.zeros((2, 128 * 1000), np.float32))
        dropped = engine.stats().counters["record_dropped"]
    assert dropped == 128 * 1000 - 88200 // 128 * 128
