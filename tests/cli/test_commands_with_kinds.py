"""Commands with every trained kind of network, by its name and by its file, and those that a newcomer types."""

import json

import numpy as np
import pytest
import soundfile
from requirements import require_package

require_package("torch", "train")

from stream_sep.backends.paced import PacedBackend
from stream_sep.cli import live
from stream_sep.protocols import STEMS

RATE = 44100
GROUPS = ("drums", "no_drums")
KINDS = ("frame-transformer", "hs-tasnet", "unet")
NAMES = [*((kind, "file") for kind in KINDS), ("unet", "name")]


@pytest.fixture(params=NAMES, ids="-by-".join)
def model(request, tiny_weights):
    """The options that name a model."""
    kind, named = request.param
    path = tiny_weights() / f"{kind}.safetensors"
    return ["--model", path] if named == "file" else ["--model", kind, "--option", f"weights={path}"]


def noise(seed, seconds=1.0):
    return 0.1 * np.random.default_rng(seed).standard_normal((int(seconds * RATE), 2))


def write(path, sound):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return path


def test_evaluate_scores_their_groups(command, model, tmp_path):
    for seed, stem in enumerate(("drums", "bass")):
        write(tmp_path / f"songs/a/{stem}.wav", noise(seed))
    code, output, errors = command("evaluate", tmp_path / "songs", *model)
    assert code == 0, errors
    assert "| uSDR, dB | drums | no_drums | songs |" in output
    assert {line.split("|")[1].strip() for line in output.splitlines()[2:]} >= {"mix", str(model[1])}


@pytest.mark.slow
def test_bench_measures_them(command, model, tmp_path):
    song = write(tmp_path / "song.wav", noise(0, 2.0))
    code, output, errors = command("bench", "engine", *model, "--duration", "1", "--song", song, "--json")
    assert code == 0, errors
    assert json.loads(output)["separator"]["hop_ms"] > 0


@pytest.mark.slow
def test_live_plays_them(command, model, monkeypatch):
    def paced(*_, sample_rate, block_size, **__):
        return PacedBackend(sample_rate, block_size)

    monkeypatch.setattr(live, "open_backend", paced)
    code, output, errors = command("live", *model, "--duration", "0.5", "--slack", "8192")
    assert code == 0, errors
    assert "ms late" in output


def test_separate_mixes_their_groups(command, model, tmp_path):
    song = write(tmp_path / "song.wav", noise(0))
    mix = "practice=no_drums+drums*0.5"
    arguments = ["--out", tmp_path / "out", "--bits", "32", "--cache-gb", "0"]
    code, _, errors = command("separate", song, *model, *arguments, "--mix", mix, "--stems", ",".join(GROUPS))
    assert code == 0, errors
    files = {path.stem: soundfile.read(path)[0] for path in (tmp_path / "out").rglob("*.wav")}
    assert set(files) == {*GROUPS, "practice"}
    assert all(np.abs(sound).max() > 0.01 for sound in files.values())
    assert np.abs(files["drums"] + files["no_drums"] - noise(0)).max() < 1e-4
    assert np.abs(files["no_drums"] + 0.5 * files["drums"] - files["practice"]).max() < 1e-4


CONFIG = """
[network]
kind = "frame-transformer"
size = "tiny"
[data]
caches = ["songs"]
validation_percent = 50
[training]
steps = 2
batch = 2
seconds = 0.4
burn_in_seconds = 0.0
threads = 1
"""


def sounds_below(folder):
    """The stems of a folder, by name; each is checked to have sound."""
    files = {path.stem: soundfile.read(path)[0] for path in folder.rglob("*.wav")}
    assert all(np.abs(sound).max() > 0.001 for sound in files.values())
    return files


@pytest.mark.slow
def test_newcomer_trains_a_frame_transformer_and_separates_with_it(command, tmp_path):
    for number in range(4):
        for seed, stem in enumerate(STEMS):
            write(tmp_path / f"songs/Artist {number} - Song/{stem}.wav", noise(10 * number + seed))
    song = write(tmp_path / "song.wav", noise(99))
    (tmp_path / "mine.toml").write_text(CONFIG)
    for arguments in (
        ("data", "build", "songs", "caches/songs"),
        ("train", "mine.toml", "--data", "caches"),
        ("separate", song, "--model", "out/mine/best.safetensors", "--cache-gb", "0"),
    ):
        code, _, errors = command(*arguments)
        assert code == 0, errors
    assert set(sounds_below(tmp_path / "separated")) == set(STEMS)


@pytest.mark.slow
def test_newcomer_runs_the_pipeline_on_multitrack_songs(command, tmp_path):
    for number in range(4):
        track = tmp_path / f"slakh/train/Track0000{number}"
        lines = [f"UUID: u{number}", "stems:"]
        for seed, (stem, program) in enumerate((("S00", 128), ("S01", 33))):
            lines += [f"  {stem}:", f"    program_num: {program}", f"    is_drum: {str(program == 128).lower()}"]
            write(track / f"stems/{stem}.wav", noise(10 * number + seed, 2.5))
        (track / "metadata.yaml").write_text("\n".join(lines) + "\n")
    song = write(tmp_path / "song.wav", noise(99, 2.5))
    arguments = ["slakh/train", song, "--network", "unet", "--option", "base=2", "--groups", "drums-no_drums"]
    arguments += ["--steps", "2", "--validation-percent", "50", "--out", "out/drums", "--device", "cpu"]
    code, _, errors = command("pipeline", *arguments)
    assert code == 0, errors
    assert set(sounds_below(tmp_path / "out/drums/stems")) == set(GROUPS)
