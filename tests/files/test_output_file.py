"""Files that stems are written to: formats, levels, headers, one writer."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from song_files import RATE, job, music, outcomes, parts_left, read, write

from stream_sep.errors import AudioFileError, FileInUseError
from stream_sep.files.formats import FLOATS, AudioFormat
from stream_sep.files.output_file import OutputFile, cannot_write
from stream_sep.files.output_record import Origin, record_outputs
from stream_sep.files.part_files import sweep_outputs

pytestmark = pytest.mark.usefixtures("maker")


@pytest.mark.parametrize(
    ("name", "bits", "subtype"),
    [
        ("wav", 16, "PCM_16"),
        ("wav", 24, "PCM_24"),
        ("wav", 32, "FLOAT"),
        ("flac", 16, "PCM_16"),
        ("flac", 24, "PCM_24"),
    ],
)
def test_formats_hold_the_sound(tmp_path, name, bits, subtype):
    song = music()
    settings = job(tmp_path, format=AudioFormat(name, bits), stems=("drums",))
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    assert soundfile.info(outcome.files[0]).subtype == subtype
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * song, atol=2.0 ** (2 - bits))


@pytest.mark.parametrize("name", ["mp3", "ogg"])
def test_lossy_formats_sound_alike(tmp_path, name):
    t = np.arange(RATE) / RATE
    song = np.stack([0.3 * np.sin(2 * np.pi * 440 * t)] * 2, axis=1).astype(np.float32)
    settings = job(tmp_path, format=AudioFormat(name), stems=("drums",))
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    sound = read(outcome.files[0])
    levels = np.abs(np.fft.rfft(sound[5000:40000, 0]))
    assert abs(np.argmax(levels) * RATE / 35000 - 440) < 2
    assert np.abs(sound[5000:40000]).max() == pytest.approx(0.15, abs=0.01)


def test_a_bitrate_is_kept(tmp_path):
    path = write(tmp_path / "a.wav", music(3.0))
    sizes = {}
    for kbps in (64, 320):
        settings = job(tmp_path, format=AudioFormat("mp3", kbps=kbps), stems=("drums",), overwrite=True)
        sizes[kbps] = outcomes(settings, path)[0].files[0].stat().st_size
    assert sizes[320] == pytest.approx(320e3 / 8 * 3, rel=0.1)
    assert sizes[64] == pytest.approx(64e3 / 8 * 3, rel=0.15)


def test_clip_modes(tmp_path):
    song = 4 * np.clip(music(level=0.3), -1, 1)  # drums peak at 2
    path = write(tmp_path / "a.wav", song)
    peaks = {}
    for clip in ("rescale", "clamp", "tanh", "none"):
        settings = job(tmp_path, format=AudioFormat(clip=clip), stems=("drums",), overwrite=True)
        sound = read(outcomes(settings, path)[0].files[0])
        peaks[clip] = float(np.abs(sound).max())
        if clip == "rescale":
            np.testing.assert_allclose(sound / sound.max(), song / song.max(), atol=1e-3)
    assert peaks["rescale"] == pytest.approx(1 / 1.01, abs=1e-3)
    assert peaks["clamp"] == pytest.approx(0.99, abs=1e-3)
    assert peaks["tanh"] == pytest.approx(np.tanh(2 * np.abs(song).max() / 4), abs=1e-3)
    assert peaks["none"] == pytest.approx(1.0, abs=1e-3)


def test_floats_keep_what_is_over_full_scale(tmp_path):
    song = music(level=2.0)
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * song, atol=1e-6)


def test_streamed_sound_over_full_scale_is_clipped_as_its_peak_is_unknown(tmp_path):
    path = write(tmp_path / "a.wav", music(level=2.0))
    (outcome,) = outcomes(job(tmp_path, stream=True, stems=("drums",), format=AudioFormat("wav", 16)), path)
    assert np.abs(read(outcome.files[0])).max() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize("frames", [100, 600_000_000], ids=["WAV", "RF64"])
def test_the_header_of_a_streamed_file_counts_what_is_there_at_all_times(tmp_path, frames):
    file = OutputFile(tmp_path / "a.wav", RATE, frames, AudioFormat("wav", 32), stream=True)
    file.open()
    for more, written in ((0, 0), (10, 10), (15, 25), (75, 100)):
        file.write(np.full((2, more), 0.25, np.float32))
        header = file.part.read_bytes()
        kind, begin = header[:4], header.index(b"data") + 8
        size = written * 8
        assert len(header) == begin + size
        assert soundfile.info(file.part).frames == written
        if kind == b"RF64":
            assert struct.unpack_from("<QQQ", header, 20) == (len(header) - 8, size, written)
        else:
            received = [struct.unpack_from("<I", header, at)[0] for at in (4, begin - 4, header.index(b"fact") + 8)]
            assert received == [len(header) - 8, size, written]
    file.finish(1.0)
    file.commit()
    assert read(tmp_path / "a.wav").shape == (100, 2)


def output(path, format=FLOATS, frames=10, **options):  # noqa: A002 - as the class calls it
    return OutputFile(path, RATE, frames, format, **{"stream": False, **options})


def test_one_file_has_one_writer(tmp_path):
    first, second = output(tmp_path / "a.wav"), output(tmp_path / "a.wav")
    first.open()
    first.write(np.full((2, 10), 0.5, np.float32))
    with pytest.raises(FileInUseError, match="another stream-sep is writing"):
        second.open()
    second.abort()
    first.write(np.full((2, 10), 0.25, np.float32))
    first.finish(1.0)
    first.commit()
    assert len(read(tmp_path / "a.wav")) == 20
    assert not parts_left(tmp_path)


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "mp3"])
def test_a_long_block_is_written_whole(tmp_path, name):
    file = output(tmp_path / f"a.{name}", AudioFormat(name), frames=2**21)
    file.open()
    file.write(np.zeros((2, 2**21), np.float32))
    file.finish(1.0)
    file.commit()
    assert soundfile.info(file.target).frames == pytest.approx(2**21, abs=3000 if name == "mp3" else 0)


def test_a_file_that_was_tampered_with_is_not_published(tmp_path):
    file = output(tmp_path / "a.wav")
    file.open()
    file.write(np.full((2, 1000), 0.5, np.float32))
    with file.part.open("r+b") as part:
        part.truncate(100)
    with pytest.raises(AudioFileError, match="cannot write"):
        file.finish(1.0)
    file.abort()
    assert not list(tmp_path.iterdir())


def test_folders_that_were_made_for_nothing_go(tmp_path):
    (tmp_path / "there").mkdir()
    file = output(tmp_path / "there" / "new" / "newer" / "a.wav")
    file.open()
    file.abort()
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "its disk is full; free some space"),
        (PermissionError(13, "Permission denied"), "Permission denied; try another folder"),
        (BlockingIOError(11, "busy"), "another stream-sep is writing"),
    ],
    ids=str,
)
def test_cause_of_a_failed_write_is_reported(tmp_path, error, words):
    assert words in str(cannot_write(tmp_path / "a.wav", error))


def test_a_full_disk_is_named_when_libsndfile_names_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
    assert "its disk is full" in str(cannot_write(tmp_path / "a.wav", soundfile.LibsndfileError(2)))


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    file = output(tmp_path / "out" / "model" / "a.wav")
    with pytest.raises(AudioFileError, match="out is a file; take a folder for --out"):
        file.open()


def test_what_dead_processes_left_is_swept_and_what_is_finished_or_alive_stays(tmp_path):
    names = ["x/a.part.wav", "x/b.raw.part.wav", "c.part.mp3", "d.part.flac", "e.tagged.part", "f.stem.mp4.part.mp4"]
    stale = [write(tmp_path / "out" / name, music(0.01), format="WAV") for name in names]
    whole = [write(tmp_path / "out" / name, music(0.01)) for name in ("x/a.wav", "Suite.part.1.wav", "my.parts.wav")]
    called_so = write(tmp_path / "out" / "Suite.part.wav", music(0.01))
    record_outputs({called_so: Origin("digest", "song", (1, 2, 3), "settings")})
    alive = output(tmp_path / "out" / "alive.wav")
    alive.open()
    assert sweep_outputs(tmp_path / "out") == sorted(stale)
    assert all(path.is_file() for path in (*whole, called_so, alive.part))
    alive.abort()
