"""Scores at length: each measure on sounds whose score is known, and the command's tables and files."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from requirements import needs_packages, require_package
from streaming import separate

from stream_sep.cli.evaluate import _full_report, assign_options
from stream_sep.errors import AudioFileError, ConfigError, SeparatorError
from stream_sep.evaluation import report
from stream_sep.evaluation.model_cost import ModelCost, measure_cost
from stream_sep.evaluation.report import Score, evaluate_folder, format_report, score_song
from stream_sep.evaluation.sdr import ACCOMPANIMENT
from stream_sep.evaluation.songs import Song
from stream_sep.evaluation.validation_split import is_validation
from stream_sep.protocols import STEMS

RATE = 44100
needs_torch = needs_packages("train", "torch")


def noise(seed, seconds=1.0):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, int(seconds * RATE))).astype(np.float32)


def song(seconds=1.0, **silent):
    stems = {stem: noise(number, seconds) * np.float32(silent.get(stem, 1)) for number, stem in enumerate(STEMS)}
    return Song("s", RATE, stems)


def measured(given, estimates):
    return {(row.stem, row.measure): row.decibels for row in score_song(given, "model", estimates)}


def test_level_errors_count_in_one_measure_and_not_in_the_other():
    given = song()
    found = measured(given, {"drums": given.stems["drums"] * np.float32(0.9)})
    assert found["drums", "uSDR"] == pytest.approx(20, abs=0.01)
    assert found["drums", "SI-SDR"] > 60


def test_low_end_gets_only_low_frequencies():
    given = song()
    high = 0.1 * np.sin(2 * np.pi * 5000 * np.arange(RATE) / RATE).astype(np.float32)
    found = measured(given, {"drums": given.stems["drums"] + high})
    assert found["drums", "uSDR"] < 5
    assert found["drums", "low"] > 25


def test_an_absent_stem_is_scored_by_what_leaks():
    given = song(bass=0)
    found = measured(given, {"bass": given.mix * np.float32(0.01), "drums": given.stems["drums"]})
    assert found["bass", "leak"] == pytest.approx(-40, abs=0.01)
    assert ("bass", "uSDR") not in found


def test_bleed_is_the_level_in_pauses_of_a_stem_alone():
    given = song(2)
    given.stems["vocals"][:, RATE:] = 0
    mixed = given.mix * np.float32(0.1)
    mixed[:, :RATE] = given.stems["vocals"][:, :RATE]  # perfect where it sings
    found = measured(given, {"vocals": mixed, "drums": given.stems["drums"]})
    assert found["vocals", "bleed"] == pytest.approx(-20, abs=0.01)
    assert ("drums", "bleed") not in found


def test_attack_counts_errors_within_50_ms_of_an_onset_alone():
    given = song()
    drums = given.stems["drums"]
    drums[:, : RATE // 2] = 0
    attack = slice(RATE // 2, RATE // 2 + RATE // 20)
    early, late = drums.copy(), drums.copy()
    early[:, attack] *= np.float32(0.9)
    late[:, attack.stop + RATE // 100 :] = 0
    assert measured(given, {"drums": early})["drums", "attack"] == pytest.approx(20, abs=0.5)
    assert measured(given, {"drums": late})["drums", "attack"] > 60


def test_long_songs_show_whether_the_end_is_as_good_as_the_beginning():
    rate = 2000  # so that three minutes are short
    stems = {stem: part[:, : 180 * rate] for stem, part in song(180 * rate / RATE).stems.items()}
    given = Song("s", rate, stems)
    worse = stems["drums"] * np.linspace(1, 0, stems["drums"].shape[1], dtype=np.float32)
    found = measured(given, {"drums": worse})
    assert found["drums", "first minute"] > found["drums", "last minute"] + 10
    assert ("drums", "first minute") not in measured(song(5), {"drums": noise(0, 5)})


def test_the_accompaniment_is_what_the_vocals_leave():
    given = song()
    assert measured(given, {"vocals": given.stems["vocals"]})[ACCOMPANIMENT, "uSDR"] > 60


def test_other_is_no_reference_where_a_stem_is_missing():
    given = Song("s", RATE, {stem: noise(1) for stem in ("vocals", "drums", "other")})
    assert not any(stem == "other" for stem, _ in measured(given, {"other": noise(2)}))


@pytest.fixture
def folder(tmp_path):
    names = [f"Artist {number} - Song" for number in range(4)]
    for name in names:
        (tmp_path / "songs" / name).mkdir(parents=True)
        for seed, stem in enumerate(STEMS):
            soundfile.write(tmp_path / "songs" / name / f"{stem}.wav", noise(seed).T, RATE, subtype="FLOAT")
    return tmp_path / "songs"


def test_only_songs_kept_for_validation_are_scored_on_request(folder):
    models = {"passthrough": ("passthrough", {})}
    kept = {path.name for path in folder.iterdir() if is_validation(path.name, 50)}
    assert 0 < len(kept) < 4
    assert {row.song for row in evaluate_folder(folder, models, validation_percent=50)} == kept
    with pytest.raises(ConfigError, match="kept for validation"):
        list(evaluate_folder(folder, models, validation_percent=-1))


def test_museval_scores_what_is_there(folder):
    require_package("museval", "train")
    for path in folder.glob("*/[bo]*.wav"):  # two stems are scored in a quarter of the time
        path.unlink()
    rows = list(evaluate_folder(folder, {"bands": ("bands", {})}, limit=1, museval=True))
    assert {row.stem for row in rows if row.measure == "SDR v4"} == {"vocals", "drums"}
    assert all(np.isfinite(row.decibels) for row in rows)


def test_a_song_without_a_loud_stem_has_no_score_of_museval(monkeypatch):
    monkeypatch.setitem(sys.modules, "museval", SimpleNamespace(evaluate=None))
    given = song(**dict.fromkeys(STEMS, 0))
    assert list(report._museval(given, "model", given.stems)) == []


def failing_at(number, error):
    """Return a `score_song` that fails for one of the songs."""

    def score(given, *rest):
        if given.name == f"Artist {number} - Song":
            raise error
        return score_song(given, *rest)

    return score


def test_a_song_that_cannot_be_scored_is_named_and_the_others_are_scored(folder, monkeypatch):
    monkeypatch.setattr(report, "score_song", failing_at(1, ValueError("odd")))
    models, skipped = {"passthrough": ("passthrough", {})}, []
    rows = list(evaluate_folder(folder, models, skip=skipped.append))
    assert {row.song for row in rows} == {f"Artist {number} - Song" for number in (0, 2, 3)}
    assert skipped == ["Artist 1 - Song is not scored: ValueError: odd"]
    with pytest.raises(ValueError, match="odd"):
        list(evaluate_folder(folder, models))


def test_scores_are_written_as_they_come(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "score_song", failing_at(2, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        _full_report(folder, {"passthrough": ("passthrough", {})}, {}, as_json=tmp_path / "s.json", plot=None)
    scores = json.loads((tmp_path / "s.json").read_text())["scores"]
    assert {row["song"] for row in scores} == {"Artist 0 - Song", "Artist 1 - Song"}


def test_a_file_of_scores_that_cannot_be_written_is_named_before_a_song_is_scored(folder, tmp_path):
    (tmp_path / "no").write_text("a file where the folder should be")
    with pytest.raises(AudioFileError, match="cannot write"):
        _full_report(folder, {"passthrough": ("passthrough", {})}, {}, as_json=tmp_path / "no" / "s.json", plot=None)


def test_costs_are_a_models_own():
    cost = measure_cost("p", "passthrough", {"hop": 441, "latency": 441})
    assert (cost.latency_ms, cost.hop_ms) == (20, 10)
    assert 0 < cost.p50_ms <= cost.p99_ms
    assert (cost.weights, cost.megabytes) == (0, 0)


def test_costs_fall_as_a_network_improves(tiny_weights):
    folder = tiny_weights()
    costs = [
        measure_cost("t", "instant", {"weights": folder / name}, sample_rate=44100)
        for name in ("tiny-int8.safetensors", "tiny.safetensors")
    ]
    assert costs[0].weights == costs[1].weights > 1000
    for cost, name in zip(costs, ("tiny-int8.safetensors", "tiny.safetensors"), strict=True):
        assert cost.megabytes == (folder / name).stat().st_size / 2**20


def test_tables_show_every_measure_and_the_cost():
    rows = [Score("a", "x", "vocals", "uSDR", 1.0), Score("a", "x", "vocals", "SDR v4", 2.0)]
    text = format_report(rows, [ModelCost("x", {}, 21.8, 11.6, 0.9, 1.1, 0.08, 650_000, 2.6)])
    assert "| uSDR, dB |" in text
    assert "| SDR v4, dB |" in text
    assert "| x | 21.8 | 11.6 | 0.90 | 1.10 | 0.080 | 0.65 | 2.6 |" in text


def test_options_go_to_their_model():
    assert assign_options(["a", "b"], ["a.x=1", "y=2"]) == {"a": ("a", {"x": 1, "y": 2}), "b": ("b", {"y": 2})}
    with pytest.raises(ConfigError, match="--model c"):
        assign_options(["a"], ["c.x=1"])


def test_the_command_writes_what_it_prints(folder, tmp_path):
    command = [sys.executable, "-m", "stream_sep", "evaluate", str(folder), "--limit", "1", "--full"]
    command += ["--model", "passthrough", "--json", str(tmp_path / "s.json"), "--plot", str(tmp_path / "s.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| passthrough |" in done.stdout
    written = json.loads((tmp_path / "s.json").read_text())
    assert {row["measure"] for row in written["scores"]} == {"uSDR", "SI-SDR", "low", "attack"}
    assert written["models"][0]["name"] == "passthrough"
    assert (tmp_path / "s.png").stat().st_size > 1000


@needs_torch
def test_the_baseline_plays_as_it_was_trained_and_from_its_file(tmp_path):
    import torch  # noqa: PLC0415 - heavy

    from stream_sep.training.baselines.hs_tasnet import HsTasnet  # noqa: PLC0415 - heavy
    from stream_sep.training.baselines.hs_tasnet_separator import load_hs_tasnet  # noqa: PLC0415 - heavy
    from stream_sep.training.kinds import save_weights  # noqa: PLC0415 - heavy
    from stream_sep.training.validation import separate_whole  # noqa: PLC0415 - heavy

    torch.manual_seed(0)
    network = HsTasnet(hidden=16, basis=12)
    torch.nn.init.normal_(network.spectral_out.weight, std=0.1)
    save_weights("hs-tasnet", network, tmp_path / "t.safetensors", {})
    played = separate(load_hs_tasnet(weights=tmp_path / "t.safetensors"), noise(0, 0.3))
    with torch.no_grad():
        trained = separate_whole(network, torch.from_numpy(noise(0, 0.3))).numpy()
    for number, stem in enumerate(STEMS[:-1]):
        assert np.abs(played[stem] - trained[number]).max() < 1e-5
    (tmp_path / "t.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(SeparatorError, match="copy"):
        load_hs_tasnet(weights=tmp_path / "t.safetensors")
