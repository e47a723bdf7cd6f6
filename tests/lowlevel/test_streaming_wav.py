"""A WAV file that is whole at every moment, however long it gets."""

import numpy as np
import pytest
import soundfile

from stream_sep.lowlevel import streaming_wav
from stream_sep.lowlevel.streaming_wav import StreamingWavWriter

RATE = 44100


def noise(frames, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (frames, 2)).astype(np.float32)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_file_is_whole_after_every_write(tmp_path, bits):
    path, written = tmp_path / "a.wav", np.zeros((0, 2), np.float32)
    writer = StreamingWavWriter(path, RATE, bits)
    for frames in (0, 1, 999, 4096):
        writer.write(noise(frames, frames))
        written = np.concatenate([written, noise(frames, frames)])
        read, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate == RATE
        np.testing.assert_allclose(read, written, atol=2.0 ** (2 - bits) if bits < 32 else 0)
    writer.close()
    assert soundfile.info(path).format == "WAV"


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_file_becomes_rf64_where_the_counts_of_wav_end(tmp_path, bits, monkeypatch):
    monkeypatch.setattr(streaming_wav, "_MAX_COUNT", 20_000)
    path, sound = tmp_path / "a.wav", noise(9000)
    writer = StreamingWavWriter(path, RATE, bits)
    for start in range(0, 9000, 500):
        writer.write(sound[start : start + 500])
        read = soundfile.read(path, dtype="float32", always_2d=True)[0]
        np.testing.assert_allclose(read, sound[: start + 500], atol=2.0 ** (2 - bits) if bits < 32 else 0)
    writer.close()
    assert soundfile.info(path).format == "RF64"


def test_more_than_4_gb_can_be_read_to_the_end(tmp_path):
    path, frames = tmp_path / "a.wav", 600_000_000
    writer = StreamingWavWriter(path, RATE, 32)
    writer.frames = frames  # a hole of 4.8 GB, which takes no room on a disk
    writer.write(noise(1000))
    writer.close()
    with soundfile.SoundFile(path) as file:
        assert file.frames == frames + 1000
        file.seek(frames)
        np.testing.assert_array_equal(file.read(dtype="float32"), noise(1000))
    assert path.stat().st_blocks * 512 < 1e6


def test_truncated_file_ends_where_it_was_cut(tmp_path):
    writer = StreamingWavWriter(tmp_path / "a.wav", RATE, 32)
    writer.write(noise(1000))
    writer.truncate(300)
    writer.close()
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], noise(1000)[:300])
    assert (tmp_path / "a.wav").stat().st_size < 300 * 8 + 200


def test_exclusive_file_never_replaces_another(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"a take")
    with pytest.raises(FileExistsError):
        StreamingWavWriter(tmp_path / "a.wav", RATE, 32, exclusive=True)
    assert (tmp_path / "a.wav").read_bytes() == b"a take"
