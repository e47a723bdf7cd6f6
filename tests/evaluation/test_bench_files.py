import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from requirements import require_package
from typer.testing import CliRunner

from stream_sep.cli import app
from stream_sep.errors import SeparatorError
from stream_sep.evaluation.bench_files import Taken, compare_with_demucs, run_measured, write_song

_PEAK = """
import sys
from pathlib import Path
import numpy as np
from stream_sep.files import demucs_pass
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_separator import SongSeparator
from stream_sep.files.tracks import Track

demucs_pass.InferenceRunner.prepare = lambda _s, _n, window: lambda: np.zeros((4, *window.shape), np.float32)
song, out = Path(sys.argv[1]), Path(sys.argv[2])
form = AudioFormat(bits=16, clip="none")
job = SeparationJob(SeparationSettings("tiny", device="cpu"), stems=("vocals",), out=out, format=form)
SongSeparator(job).separate(Track(song, Path(), song.stem), lambda share: None)
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


@pytest.fixture
def _demucs():
    require_package("demucs", "demucs")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.usefixtures("_demucs")
def test_memory_of_a_song_is_that_of_one_a_tenth_as_long(tmp_path):
    second = np.random.default_rng(0).normal(0, 0.1, (44100, 1)).astype(np.float32)
    peaks = {}
    for minutes in (2, 20):
        song = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(song, "w", 44100, 1) as file:
            for _ in range(60 * minutes):
                file.write(second)
        received = subprocess.run(
            [sys.executable, "-c", _PEAK, song, tmp_path], check=True, capture_output=True, text=True
        )
        peaks[minutes] = int(received.stdout)
        assert soundfile.info(tmp_path / "tiny" / song.stem / "vocals.wav").frames == 60 * minutes * 44100
        (tmp_path / "tiny" / song.stem / "vocals.wav").unlink()
        song.unlink()
    assert peaks[20] < 1.1 * peaks[2]


@pytest.mark.usefixtures("_demucs")
def test_both_commands_are_run_on_one_song_and_their_stems_compared():
    figures = compare_with_demucs(2.5, "tiny", rounds=1)
    assert max(figures["null_db"].values()) < -50
    assert figures["demucs"]["seconds"] > 0
    expected = figures["demucs"]["cpu_seconds"] / figures["stream-sep"]["cpu_seconds"]
    assert figures["times_less_cpu"] == pytest.approx(expected, abs=0.01)


def test_memory_is_measured_for_a_long_song_and_a_short_one(monkeypatch):
    songs = []

    def run(arguments):
        songs.append((soundfile.info(arguments[-1]).duration, arguments[arguments.index("-n") + 1]))
        return Taken(1.0, 1.0, 0.5)

    monkeypatch.setattr("stream_sep.evaluation.bench_files.run_measured", run)
    received = CliRunner().invoke(app, ["bench", "--separate", "--hours", "0.05", "--model", "passthrough"])
    assert songs == [(120.0, "passthrough"), (180.0, "passthrough")]
    assert "'peak_gb': 0.5" in received.output


def test_what_is_measured_is_what_was_used():
    held = bytearray(200_000_000)  # of ours, and nobody else's
    idle, busy = (run_measured(["-c", f"x = bytearray({size}); sum(range({size}))"]) for size in (10, 50_000_000))
    assert busy.peak_gb - idle.peak_gb == pytest.approx(0.05, abs=0.01)
    assert busy.cpu_seconds > idle.cpu_seconds
    assert busy.seconds > 0
    assert 1e9 * idle.peak_gb < len(held)


def test_a_command_that_fails_is_reported_with_its_last_line():
    with pytest.raises(SeparatorError, match="no such thing"):
        run_measured(["-c", "raise SystemExit('no such thing')"])


def test_the_song_has_the_requested_length_and_is_never_silent(tmp_path):
    sound, rate = soundfile.read(write_song(tmp_path / "a.wav", 3.0))
    assert sound.shape == (3 * rate, 2)
    assert np.abs(sound.reshape(30, -1)).max(axis=1).min() > 0.01
