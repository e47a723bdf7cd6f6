"""The lab as a user types it, from songs to a file that plays; and on a machine that lacks what the engine needs."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from requirements import require_package
from typer.testing import CliRunner

from stream_sep.cli import app
from stream_sep.errors import StreamSepError
from stream_sep.protocols import STEMS
from stream_sep.separators import load_separator

require_package("torch", "train")

TOOL = Path(__file__).parents[2] / "tools/lab.py"
ENGINE_ONLY = ("sounddevice", "mido", "pythonosc", "tomlkit", "platformdirs", "pedalboard", "pyworld")
BARE = f"""
import runpy, sys
for name in {ENGINE_ONLY!r}:
    sys.modules[name] = None
sys.argv = ["lab.py", *sys.argv[2:]]
runpy.run_path({str(TOOL)!r}, run_name="__main__")
"""
CONFIG = """
[network]
size = "tiny"
[data]
caches = ["cache"]
validation_percent = 50
[training]
steps = 2
batch = 2
seconds = 0.2
settle_seconds = 0.0
threads = 1
"""


def run(*arguments, cwd):
    """Run a verb in this process, which has torch loaded already; return its output and its exit status."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.chdir(cwd):
            done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if isinstance(done.exception, StreamSepError):
        return f"stream-sep: {done.exception}", 1
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output.replace("\n", " "), done.exit_code


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    for number in range(4):
        for seed, stem in enumerate(STEMS):
            path = folder / f"songs/Artist {number} - Song/{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal((22050, 2)), 44100)
    (folder / "tiny.toml").write_text(CONFIG)
    return folder


def test_from_songs_to_a_file_that_plays(home):
    for arguments, words in (
        (("data", "build", "songs", "cache"), "4 songs added, 0 already there"),
        (("data", "build", "songs", "cache"), "0 songs added, 4 already there"),
        (("data", "check", "cache"), "4 songs"),
        (("train", "tiny.toml", "--out", "short", "--minutes", "0.01"), "done: short/best.safetensors"),
        (("train", "tiny.toml", "--out", "out"), "done: out/best.safetensors"),
        (("train", "tiny.toml", "--out", "out"), "trained already, "),
        (("models", "export", "out/best.safetensors"), "masks differ"),
        (("models", "export", "out/best.safetensors", "--out", "small.safetensors"), "small.safetensors: 0.1 MB"),
        (("models", "show", "out/best.safetensors"), "algorithmic latency: 128 frames"),
        (("models", "show", "out/best.safetensors"), '"kind": "causal"'),  # not a text of JSON within JSON
    ):
        messages, status = run(*arguments, cwd=home)
        assert status == 0, messages
        assert words in messages
    for name in ("out/best.safetensors", "small.safetensors"):
        assert load_separator("instant", weights=home / name).latency == 64


def test_a_training_that_ends_before_it_is_validated_names_no_weights(home, tmp_path):
    assert run("data", "build", home / "songs", tmp_path / "cache", cwd=tmp_path)[1] == 0
    arguments = ("train", home / "tiny.toml", "--data", tmp_path, "--out", "out")
    messages, status = run(*arguments, "--max-minutes", "1e-9", cwd=tmp_path)
    assert status == 0
    assert "stopped at 0.0 %; run it again to resume: no weights yet, as nothing was validated" in messages
    assert "best.safetensors" not in messages
    assert not (tmp_path / "out/best.safetensors").exists()


def test_a_training_that_skipped_steps_reports_them_at_its_end(home, tmp_path, monkeypatch):
    from stream_sep.training.losses import StemLoss  # noqa: PLC0415 - after the check for torch

    forward = StemLoss.forward
    monkeypatch.setattr(StemLoss, "forward", lambda *given: float("nan") * forward(*given))
    assert run("data", "build", home / "songs", tmp_path / "cache", cwd=tmp_path)[1] == 0
    messages, status = run("train", home / "tiny.toml", "--data", tmp_path, "--out", "out", cwd=tmp_path)
    assert status == 0
    assert messages.rpartition("done:")[2].count("2 of 2 steps had gradients that are not finite") == 1


def test_a_damaged_cache_is_a_failure_until_it_is_dropped(home, tmp_path):
    assert run("data", "build", home / "songs", "cache", cwd=tmp_path)[1] == 0
    file = next((tmp_path / "cache").glob("*.i16"))
    file.write_bytes(file.read_bytes()[:-4])
    messages, status = run("data", "check", "cache", cwd=tmp_path)
    assert (status, "damaged: Artist" in messages) == (1, True)
    assert run("data", "check", "cache", "--drop", cwd=tmp_path)[1] == 0
    assert "3 songs" in run("data", "check", "cache", cwd=tmp_path)[0]


def test_the_lab_runs_where_the_engine_cannot(home, tmp_path):
    assert run("data", "build", home / "songs", tmp_path / "cache", cwd=tmp_path)[1] == 0
    assert run("data", "pack", "cache", "--out", "pack", cwd=tmp_path)[1] == 0
    (tmp_path / "tiny.toml").write_text(CONFIG.replace('"cache"', '"there/cache"'))
    for arguments, words in (
        (("data", "unpack", "pack-1.zip", "--to", "there", "--jobs", "2"), "4 songs added"),
        (("train", "tiny.toml", "--out", "out"), "done"),
    ):
        command = [sys.executable, "-c", BARE, "--", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "none.toml"), "none.toml cannot be read: no such file"),
        (("train", "smal"), "did you mean 'small'?"),
        (("train", "tiny.toml", "--data", "nowhere"), "is not a cache"),
        (("train", "tiny.toml", "--data", "nowhere"), "name the folder of yours with 'train --data FOLDER'"),
        (("data", "build", "nowhere", "c"), "is not a folder"),
        (("data", "unpack", "none.zip"), "copy it again"),
        (("data", "synth", "songs", "out"), "contains no songs"),
        (("models", "export", "none.safetensors"), "cannot be read"),
        (("models", "export", "none.safetensors", "--out", "x.bin"), "must end in .onnx or .safetensors"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_gives_one_error_message_and_a_failure(home, arguments, words):
    messages, status = run(*arguments, cwd=home)
    assert (status, words in messages) == (1, True), messages
