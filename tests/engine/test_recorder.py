"""What is recorded is what was played, and a disk that gives up leaves whole files behind."""

import numpy as np
import pytest
import soundfile

from stream_sep import AudioFileError, Engine, EngineConfig, OfflineBackend

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


def test_a_full_disk_is_one_sentence_and_what_was_written_is_whole(tmp_path, monkeypatch):
    written, real = [0], soundfile.SoundFile.write

    def write(file, frames):
        written[0] += 1
        if written[0] > 50:
            raise OSError(28, "No space left on device")
        return real(file, frames)

    monkeypatch.setattr(soundfile.SoundFile, "write", write)
    told = []
    engine, buses = play(tmp_path, told.append)
    assert len([sentence for sentence in told if "No space left" in sentence]) == 1
    monkeypatch.undo()
    mix = read(tmp_path / "mix.wav")
    assert 0 < mix.shape[1] < buses.shape[2]
    late = engine.latency.engine
    assert np.array_equal(mix, buses[0][:, late : late + mix.shape[1]])


def test_a_folder_that_cannot_be_written_is_refused_by_name(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(AudioFileError, match="taken"):
        play(tmp_path / "taken")


def test_frames_nobody_took_in_time_are_counted():
    backend = OfflineBackend()
    backend.wants_recording = True
    with Engine(backend, EngineConfig(model="passthrough", worker="inline")) as engine:
        backend.feed(np.zeros((2, 128 * 1000), np.float32))
        dropped = engine.stats().counters["record_dropped"]
    assert dropped == 128 * 1000 - 88200 // 128 * 128
