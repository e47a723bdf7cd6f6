"""What tests of songs on disk share."""

import signal
import subprocess

import pytest
import typer
from requirements import require
from song_files import Shares
from typer.testing import CliRunner

from stream_sep.cli.separate import cache_app, separate
from stream_sep.files import song_separator
from stream_sep.files.settings import DEFAULT_MODEL
from stream_sep.files.stem_cache import ENVIRONMENT


@pytest.fixture
def maker(monkeypatch, tmp_path):
    made, load = Shares(), song_separator.load_song_model
    monkeypatch.setattr(
        song_separator,
        "load_song_model",
        lambda settings: made if settings.model == DEFAULT_MODEL else load(settings),
    )
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def command():
    app = typer.Typer()
    app.command("separate")(separate)
    app.add_typer(cache_app, name="cache")
    kept = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    yield run
    signal.signal(signal.SIGTERM, kept)


@pytest.fixture
def ffmpeg():
    from stream_sep.files.ffmpeg import INSTALL, has_ffmpeg  # noqa: PLC0415 - only what needs it

    require(has_ffmpeg(), INSTALL)

    def run(*arguments):
        subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)

    return run
