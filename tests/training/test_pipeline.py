"""One call from songs to stems: its files, no work done twice by a second call, and resuming after a stop."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from requirements import require_package
from typer.testing import CliRunner

from stream_sep.errors import AudioFileError, ConfigError, StreamSepError
from stream_sep.evaluation.validation_split import is_validation

require_package("torch", "train")

import torch

from stream_sep.training import Pipeline
from stream_sep.training.data.cache import read_index
from stream_sep.training.trainer import Trainer

RATE = 16000
STEMS = {
    "S00": ("drums", 0, True),
    "S01": ("bass", 33, False),
    "S02": ("piano", 1, False),
    "S03": ("guitar", 25, False),
}


def sound(number, row, seconds=6.0):
    rng, t = np.random.default_rng(10 * number + row), np.arange(int(seconds * RATE)) / RATE
    if row == 0:
        return 0.3 * rng.standard_normal(len(t)) * (np.sin(2 * np.pi * 3 * t) > 0.9)
    return 0.1 * np.sin(2 * np.pi * (60, 110, 220, 440)[row] * rng.uniform(0.9, 1.1) * t)


@pytest.fixture(scope="module")
def slakh(tmp_path_factory):
    """Eight tracks as Slakh2100 has them, two of one MIDI file, and one stem that was never rendered."""
    folder = tmp_path_factory.mktemp("slakh") / "train"
    for number in range(8):
        track = folder / f"Track{number:05}"
        (track / "stems").mkdir(parents=True)
        lines = [f"UUID: uuid{max(number, 1)}", "stems:"]
        for row, (stem, (name, program, is_drum)) in enumerate(STEMS.items()):
            is_rendered = (number, stem) != (5, "S03")
            lines += [
                f"  {stem}:",
                f"    audio_rendered: {str(is_rendered).lower()}",
                f"    inst_class: {name.title()}",
            ]
            lines += [f"    is_drum: {str(is_drum).lower()}", f"    program_num: {program}"]
            if is_rendered:
                soundfile.write(track / f"stems/{stem}.flac", sound(number, row), RATE)
        (track / "metadata.yaml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def song(tmp_path):
    mix = sum(sound(99, row) for row in range(4))
    soundfile.write(tmp_path / "song.wav", np.stack([mix, mix], axis=1), RATE)
    return tmp_path / "song.wav"


def pipeline(slakh, out, **options):
    usual = {"network": {"kind": "unet", "base": 2}, "groups": "drums-no_drums", "steps": 30, "device": "cpu"}
    training = {"batch": 2, "seconds": 1.0, "validate_every": 15, "threads": 1, "learning_rate": 0.01}
    return Pipeline(slakh, out, **{**usual, "validation_percent": 30, "training": training, **options})


def test_one_call_makes_stems_that_add_up_and_a_second_makes_nothing(slakh, song, tmp_path, monkeypatch):
    received, shares = [], []
    done = pipeline(slakh, tmp_path / "out", report=received.append, progress=lambda *step: shares.append(step)).run(
        [song]
    )
    assert list(dict(shares)) == ["decoding", "training", "song.wav"]
    assert set(dict(shares).values()) == {1.0}
    for step in dict(shares):
        found = [share for name, share in shares if name == step]
        assert found == sorted(found)
        assert len({*found}) > (1 if step == "song.wav" else 7)
    files = done.stems[song]
    assert set(files) == {"drums", "no_drums"}
    stems = [soundfile.read(files[stem])[0] for stem in files]
    mix, _ = soundfile.read(song)
    assert soundfile.info(next(iter(files.values()))).samplerate == 44100
    assert abs(len(stems[0]) - len(mix) * 44100 / RATE) <= 1
    assert {"drums", "no_drums", "mean"} == set(done.scores)
    assert all(picture.stat().st_size > 1000 for picture in done.pictures)
    assert len(done.pictures) == 2
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    monkeypatch.setattr(Trainer, "_advance", lambda _self: pytest.fail("it trains again"))
    again = pipeline(slakh, tmp_path / "out", report=received.append).run([song])
    assert again.stems == done.stems
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    assert "trained already" in received
    assert received.count("8 songs, 0 of them new") == 1


def test_stems_add_up_to_a_song_at_the_rate_of_the_network(slakh, tmp_path):
    made = pipeline(slakh, tmp_path / "out", steps=2)
    made.prepare()
    made.train()
    rng = np.random.default_rng(0)
    mix = 0.1 * rng.standard_normal((100_003, 2))
    soundfile.write(tmp_path / "song.wav", mix, 44100)
    (files,) = made.separate([tmp_path / "song.wav"]).values()
    total = sum(soundfile.read(file)[0] for file in files.values())
    assert total.shape == mix.shape
    assert np.abs(total - mix).max() < 1e-4


def test_renderings_of_one_midi_file_are_on_one_side(slakh, tmp_path):
    cache = pipeline(slakh, tmp_path / "out").prepare()
    names = [song.name for song in read_index(cache)]
    twins = [name for name in names if name.startswith("uuid1 - ")]
    assert len(twins) == 2
    assert len({is_validation(name, 30) for name in twins}) == 1
    assert 0 < sum(is_validation(name, 30) for name in names) < len(names)


def test_a_training_that_was_stopped_goes_on(slakh, tmp_path):
    made = pipeline(slakh, tmp_path / "out", cache="folder")
    made.prepare()
    steps = []
    made.train(lambda: steps.append(1) or len(steps) > 5)
    assert not (tmp_path / "out/trained.json").exists()
    again = pipeline(slakh, tmp_path / "out", cache="folder")
    again.train()
    assert Trainer(again.config, tmp_path / "out", device="cpu").step == 30


@pytest.mark.parametrize("loss", ["energy", "volume"])
def test_the_four_default_groups_train_where_nobody_sings(slakh, song, tmp_path, loss):
    usual = {"batch": 2, "seconds": 1.0, "validate_every": 15, "threads": 1, "learning_rate": 0.01}
    changed = {"groups": "four", "steps": 15, "training": {**usual, "loss": loss, "spectral": 0.0}}
    made = pipeline(slakh, tmp_path / "out", **changed)
    done = made.run([song])
    assert set(done.stems[song]) == {"vocals", "drums", "bass", "other"}
    assert np.isnan(done.scores["vocals"])
    assert all(np.isfinite(done.scores[stem]) for stem in ("drums", "bass", "other", "mean"))
    before, after = (_weights(made, tmp_path / each) for each in ("new", "out"))
    assert any(not torch.equal(before[name], value) for name, value in after.items())


def _weights(made, folder):
    return Trainer(made.config, folder, device="cpu").model.state_dict()


def test_other_groups_in_the_same_folder_are_refused(slakh, tmp_path):
    made = pipeline(slakh, tmp_path / "out", steps=2)
    made.prepare()
    made.train()
    with pytest.raises(ConfigError, match="another network"):
        pipeline(slakh, tmp_path / "out", steps=2, groups="band").train()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cache": "zip"}, ConfigError, "choose from folder, h5"),
        ({"groups": "five"}, ConfigError, "unknown groups"),
        ({"training": {"stepz": 1}}, ConfigError, "no key 'stepz'"),
        ({"steps": 0}, ConfigError, "steps or minutes"),
        ({"network": "none"}, ConfigError, "unknown kind"),
        ({"groups": {"theremin": ["theremin"], "other": ["rest"]}}, ConfigError, "has 'theremin'"),
    ],
)
def test_what_makes_no_sense_gives_one_error_message(slakh, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        pipeline(slakh, tmp_path / "out", **options).run()


def test_an_empty_folder_and_a_missing_song_give_one_error_message(slakh, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match="no song of any known layout"):
        pipeline(tmp_path / "empty", tmp_path / "out").run()
    made = pipeline(slakh, tmp_path / "out", steps=2)
    with pytest.raises(AudioFileError, match="nothing"):
        made.run([tmp_path / "nothing.wav"])
    assert made.weights.is_file()


def test_the_command_does_the_same(slakh, song, tmp_path):
    from stream_sep.cli import app  # noqa: PLC0415 - the command line is heavy

    arguments = [
        "pipeline",
        slakh,
        song,
        "--out",
        tmp_path / "out",
        "--option",
        "base=2",
        "--groups",
        "drums-no_drums",
    ]
    arguments += ["--validation-percent", "30", "--device", "cpu"]
    done = CliRunner().invoke(app, [*map(str, arguments), "--steps", "1"])
    assert done.exit_code == 0, done.exception
    files = [Path(line) for line in done.output.splitlines() if line.endswith((".wav", ".png", ".safetensors"))]
    assert [file.name for file in files if file.exists() and file.suffix == ".wav"] == ["drums.wav", "no_drums.wav"]
    refused = CliRunner().invoke(app, list(map(str, arguments)))
    assert isinstance(refused.exception, StreamSepError)
    assert "--minutes or --steps" in str(refused.exception)
