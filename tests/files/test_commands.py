"""The commands separate and cache, over real files."""

import contextlib
import signal
import subprocess
import sys
import wave

import pytest
import waiting
from song_files import RATE, music, parts_left, write

from stream_sep.files import ray_batch
from stream_sep.files.output_record import RECORD
from stream_sep.files.song_separator import Outcome

pytestmark = pytest.mark.usefixtures("maker")


def test_another_process_reads_the_first_seconds_before_the_end_and_a_crash_leaves_them_readable(tmp_path):
    arguments = [write(tmp_path / "long.wav", music(200.0)), "-n", "bands", "-o", tmp_path / "out", "--stream"]
    part = tmp_path / "out" / "bands" / "long" / "vocals.part.wav"
    with subprocess.Popen(
        [sys.executable, "-m", "stream_sep", "separate", *arguments], stdout=subprocess.PIPE
    ) as program:
        try:
            waiting.until(lambda: _frames_in(part) >= RATE)
            seen = _frames_in(part)
        finally:
            program.kill()
    assert RATE <= seen < 200 * RATE
    with wave.open(str(part)) as file:  # which believes the header
        assert len(file.readframes(10**9)) == 4 * file.getnframes()
        assert file.getnframes() >= seen
    assert not part.with_name("vocals.wav").exists()


def _frames_in(path):
    with contextlib.suppress(FileNotFoundError, EOFError), wave.open(str(path)) as file:  # not there, or empty still
        return file.getnframes()
    return 0


def test_a_terminated_command_leaves_no_half_written_file(tmp_path):
    write(tmp_path / "songs" / "a.wav", music(0.2))
    write(tmp_path / "songs" / "long.wav", music(300.0))
    program = [sys.executable, "-m", "stream_sep", "separate"]
    arguments = [*program, str(tmp_path / "songs"), "-n", "bands", "-o", str(tmp_path / "out")]
    done = tmp_path / "out" / "bands"
    with subprocess.Popen([*arguments, "--cache-gb", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        waiting.until((done / "long" / "vocals.raw.part.wav").exists)
        program.terminate()
        program.communicate(timeout=120)
        assert program.returncode == 128 + signal.SIGTERM
    assert (done / "a" / "vocals.wav").is_file()
    assert not parts_left(done)
    assert not (done / "long").exists()


def test_command_writes_and_prints_where(command, tmp_path):
    song = write(tmp_path / "a.wav", music())
    received = command(
        "separate",
        song,
        "-n",
        "htdemucs",
        "-o",
        tmp_path / "out",
        "--stems",
        "vocals,drums",
        "-f",
        "flac",
        "--bits",
        "24",
    )
    assert received.exit_code == 0, received.output
    assert "1 separated" in received.output
    made = {path.name for path in (tmp_path / "out" / "htdemucs" / "a").iterdir()}
    assert made == {"drums.flac", "vocals.flac", RECORD}


def test_exit_code_shows_that_a_song_failed(command, tmp_path):
    song = write(tmp_path / "a.wav", music())
    received = command("separate", song, tmp_path / "none.wav", "-n", "htdemucs")
    assert received.exit_code == 1
    assert "1 separated, 1 failed" in received.output
    assert "file not found: " in received.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("--executor", "cloud"), "choose local or ray"), (("--address", "10.0.0.9:6379"), "needs --executor ray")],
)
def test_executors_that_do_not_exist_are_refused(command, tmp_path, arguments, complaint):
    received = command("separate", write(tmp_path / "a.wav", music(0.1)), *arguments)
    assert complaint in str(received.exception)


def test_a_ray_cluster_is_used_at_its_address(command, tmp_path, monkeypatch):
    used = {}

    def on_ray(tracks, _job, _report, **settings):
        used.update(settings)
        return iter([(0, Outcome(tracks[0], error="it rained"))])

    monkeypatch.setattr(ray_batch, "separate_on_ray", on_ray)
    where = ("--executor", "ray", "--address", "10.0.0.9:6379", "-j", "3")
    received = command("separate", write(tmp_path / "a.wav", music(0.1)), *where)
    assert used == {"address": "10.0.0.9:6379", "jobs": 3}
    assert "it rained" in received.output
    assert received.exit_code == 1


def test_the_cache_can_be_listed_and_cleared(command, tmp_path):
    command("separate", write(tmp_path / "a.wav", music()), "-n", "htdemucs")
    assert "bass,drums,other,vocals" in command("cache", "list").output
    assert "stems of 1 songs" in command("cache", "clear").output
    assert "a.wav" not in command("cache", "list").output


def test_failures_go_to_where_errors_go(tmp_path):
    program = [sys.executable, "-m", "stream_sep", "separate", "-n", "passthrough", "-o", tmp_path / "out"]
    song = write(tmp_path / "a.wav", music(0.1))
    done = subprocess.run([*program, song, tmp_path / "none.wav"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "none.wav" in done.stderr
    assert "none.wav" not in done.stdout
    assert "a.wav -> " in done.stdout


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_jobs_end_on_a_signal_and_leave_no_half_written_file(tmp_path, name):
    for k in range(3):
        write(tmp_path / "songs" / f"{k}.wav", music(300.0))
    arguments = [tmp_path / "songs", "-n", "bands", "-o", tmp_path / "out", "--jobs", "2", "--bits", "32"]
    program = [sys.executable, "-m", "stream_sep", "separate", *arguments]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        waiting.until(lambda: parts_left(tmp_path / "out"))
        run.send_signal(getattr(signal, name))
        output = run.communicate(timeout=120)
    assert run.returncode == 128 + getattr(signal, name), output
    assert b"Traceback" not in output[1]
    assert not list((tmp_path / "out").rglob("*.wav"))
