"""The job that the command line makes of its options, and its progress display."""

import io
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from rich.console import Console
from typer.testing import CliRunner

from stream_sep.cli import separate as command
from stream_sep.cli.separate_progress import BatchProgress
from stream_sep.errors import ConfigError
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.progress import Progress
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_separator import Outcome
from stream_sep.files.tracks import Track

USUAL = SeparationJob(cache_gb=10.0)


@pytest.fixture
def run_command(monkeypatch, tmp_path):
    """Run the command with a song and options; return the job and the number of songs at once."""
    song = write_song(tmp_path / "a.wav", 0.01)
    call = {}

    def separate_all(tracks, job, _report, *, jobs):
        call.update(job=job, jobs=jobs)
        return iter([(0, Outcome(tracks[0]))])

    monkeypatch.setattr(command, "separate_all", separate_all)
    monkeypatch.setattr(command, "default_song_model", lambda _: "htdemucs")
    app, kept = typer.Typer(), signal.getsignal(signal.SIGTERM)
    app.command()(command.separate)

    def run(*options):
        received = CliRunner().invoke(app, [str(song), *options])
        assert received.exit_code == 0, received.output or received.exception
        return call["job"], call["jobs"]

    yield run
    signal.signal(signal.SIGTERM, kept)


def write_song(path, seconds):
    soundfile.write(path, np.zeros((int(8000 * seconds), 1)), 8000)
    return path


def settings(**settings):
    return replace(USUAL, settings=SeparationSettings(**settings))


def form(*settings):
    return replace(USUAL, format=AudioFormat(*settings))


@pytest.mark.parametrize(
    ("options", "job"),
    [
        ("", USUAL),
        ("-n htdemucs_6s", settings(model="htdemucs_6s")),
        ("--model hf://someone/something", settings(model="hf://someone/something")),
        ("--repo weights", settings(repo=Path("weights"))),
        ("--option hop=512 --option a=b", settings(options={"hop": 512, "a": "b"})),
        ("--config c.yaml", settings(options={"config": "c.yaml"})),
        ("--shifts 3", settings(shifts=3)),
        ("--overlap 0.5", settings(overlap=0.5)),
        ("--segment 4.5", settings(segment=4.5)),
        ("--seed 7", settings(seed=7)),
        ("-d cuda:1", settings(device="cuda:1")),
        ("--precision float32", settings(precision="float32")),
        ("--threads 2", settings(threads=2)),
        ("--stems vocals,drums", replace(USUAL, stems=("vocals", "drums"))),
        ("--two-stems vocals", replace(USUAL, two_stems="vocals")),
        ("--other-method minus", replace(USUAL, other_method="minus")),
        ("--mix k=drums+bass --mix v=vocals*0.2", replace(USUAL, mixes=("k=drums+bass", "v=vocals*0.2"))),
        ("-o elsewhere", replace(USUAL, out=Path("elsewhere"))),
        ("--filename {track}_{stem}.{ext}", replace(USUAL, filename="{track}_{stem}.{ext}")),
        ("-f flac --bits 24", form("flac", 24)),
        ("-f mp3 --bitrate 192", form("mp3", 16, 192)),
        ("--clip-mode tanh", form("wav", 16, 320, "tanh")),
        ("--cache-gb 2", replace(USUAL, cache_gb=2.0)),
        ("--residual", replace(USUAL, residual=True)),
        ("--stream", replace(USUAL, stream=True)),
        ("--no-tags", replace(USUAL, tags=False)),
        ("--overwrite", replace(USUAL, overwrite=True)),
    ],
)
def test_every_option_reaches_the_job(run_command, options, job):
    assert run_command(*options.split()) == (job, 1)


def test_jobs_are_songs_at_once(run_command):
    assert run_command("-j", "3") == (USUAL, 3)


def test_stems_without_a_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="use STEM,STEM"):
        command.separate([write_song(tmp_path / "a.wav", 0.01)], stems="vocals,,drums")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def shown(tmp_path):
    """Progress over songs of 10, 20, 30 and 40 s, on a terminal whose clock stands still until it is moved."""
    tracks = [Track(write_song(tmp_path / f"{n}.wav", n), Path(), str(n)) for n in (10, 20, 30, 40)]
    clock, screen = Clock(), io.StringIO()
    console = Console(file=screen, force_terminal=True, get_time=clock, soft_wrap=True, highlight=False)
    with BatchProgress(tracks, console) as progress:
        yield tracks, progress, clock, screen


def work(progress, clock, index, seconds, *, speed):
    """Let a song of so many seconds be done, second by second, ``speed`` seconds of music a second."""
    for done in range(1, seconds + 1):
        clock.now += 1 / speed
        progress.advance(index, Progress("separate", done / seconds))


def left(progress):
    (everything,) = (task for task in progress._bars.tasks if task.description == "all songs")
    return everything.time_remaining


def test_the_time_left_is_right_for_songs_of_any_length(shown):
    tracks, progress, clock, _ = shown
    progress.advance(0, Progress())
    work(progress, clock, 0, 10, speed=0.5)
    progress.end(0, Outcome(tracks[0]))
    assert left(progress) == pytest.approx(90 / 0.5, rel=0.02)
    work(progress, clock, 1, 20, speed=0.5)
    progress.end(1, Outcome(tracks[1]))
    assert left(progress) == pytest.approx(70 / 0.5, rel=0.02)


def test_songs_that_were_there_or_failed_take_no_time(shown):
    tracks, progress, clock, _ = shown
    progress.end(3, Outcome(tracks[3], skipped=True))
    work(progress, clock, 0, 10, speed=2.0)
    progress.end(0, Outcome(tracks[0]))
    work(progress, clock, 2, 3, speed=2.0)
    progress.end(2, Outcome(tracks[2], error="broken"))
    for done in (0.1, 0.25, 0.5):
        clock.now = 100 + 20 * done / 2
        progress.advance(1, Progress("separate", done))
    assert left(progress) == pytest.approx(10 / 2.0, rel=0.05)


def test_a_song_has_a_bar_while_it_is_separated_and_a_line_after(shown):
    tracks, progress, clock, screen = shown
    work(progress, clock, 1, 20, speed=1.0)
    assert [task.description for task in progress._bars.tasks] == ["all songs", "20.wav"]
    assert progress._bars.tasks[1].percentage == pytest.approx(100)
    progress.end(1, Outcome(tracks[1], (Path("out/vocals.wav"),), notes=("it was loud",)))
    assert [task.description for task in progress._bars.tasks] == ["all songs"]
    assert "20.wav -> out: vocals.wav" in screen.getvalue()
    assert "it was loud" in screen.getvalue()


def test_a_single_song_has_no_bar_for_all(tmp_path):
    track = Track(write_song(tmp_path / "a.wav", 1), Path(), "a")
    with BatchProgress([track], Console(file=io.StringIO(), force_terminal=True)) as progress:
        progress.advance(0, Progress("separate", 0.5))
        assert [task.description for task in progress._bars.tasks if task.visible] == ["a.wav"]
