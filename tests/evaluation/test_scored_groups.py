"""Scores of groups of sources, in data sets of any sources, by separators in their form for files."""

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from stream_sep.cli.evaluate import songs_in
from stream_sep.errors import AudioFileError
from stream_sep.evaluation.report import evaluate_folder
from stream_sep.evaluation.scored_model import ScoredModel, groups_of, separate_song
from stream_sep.evaluation.sdr import evaluate, usdr
from stream_sep.evaluation.songs import load_song
from stream_sep.separators.passthrough import PassthroughSeparator
from stream_sep.separators.source_groups import FOUR, PRESETS, SourceGroups

RATE = 44100
SLAKH = {"S00": ("true", 0, "drums"), "S01": ("false", 33, "bass"), "S02": ("false", 0, "piano")}


class Halves:
    """Gives each stem an equal share of the mix; for files with a delay of its own, at 44.1 kHz."""

    channels, hop = 2, 512

    def __init__(self, stems, sample_rate, latency=0):
        self._inner = PassthroughSeparator(sample_rate=sample_rate, hop=512, latency=latency)
        self.sample_rate, self.latency = sample_rate, latency
        self.stems, self.has_own_rate, self.peak = stems, bool(latency), None
        self.stft_size = 64 if latency else 0

    def process(self, block):
        share = self._inner.process(block).sum(axis=0) / np.float32(len(self.stems))
        return np.repeat(share[None], len(self.stems), axis=0)

    def reset(self):
        self._inner.reset()

    def set_peak(self, peak):
        self.peak = peak


class Pair(Halves):
    def for_files(self):
        return Halves(self.stems, RATE, 100)


def load_pair(*, sample_rate=RATE):
    """Drums and the rest, with a form for files."""
    return Pair(("drums", "no_drums"), sample_rate)


def load_band(*, sample_rate=RATE):
    """The stems of a band."""
    return Halves(tuple(PRESETS["band"]), sample_rate)


def load_four(*, sample_rate=RATE):
    """The usual stems."""
    return Halves(FOUR.stems, sample_rate)


PAIR, BAND, USUAL = (f"{__name__}:load_{name}" for name in ("pair", "band", "four"))


def noise(seed):
    return 0.1 * np.random.default_rng(seed).standard_normal(RATE // 2).astype(np.float32)


@pytest.fixture
def slakh(tmp_path):
    """Two tracks of three stems."""
    for number in range(2):
        track = tmp_path / f"slakh/Track0000{number}"
        (track / "stems").mkdir(parents=True)
        lines = [f"UUID: u{number}", "stems:"]
        for seed, (name, (is_drum, program, _)) in enumerate(SLAKH.items()):
            lines += [f"  {name}:", f"    is_drum: {is_drum}", f"    program_num: {program}"]
            soundfile.write(track / f"stems/{name}.wav", noise(10 * number + seed), RATE, subtype="FLOAT")
        (track / "metadata.yaml").write_text("\n".join(lines) + "\n")
    return tmp_path / "slakh"


def test_a_song_of_a_data_set_has_all_its_sources_and_names_the_silent_ones(slakh):
    song = load_song(songs_in(slakh, "auto")[0])
    assert set(song.stems) == {"drums", "bass", "piano"}
    assert {"vocals", "guitar"} <= song.silent
    assert np.allclose(song.mix[0], noise(0) + noise(1) + noise(2), atol=1e-6)


@pytest.mark.parametrize("live", [False, True])
def test_groups_of_a_separator_are_scored_and_the_mix_with_them(slakh, live):
    rows = list(evaluate(slakh, PAIR, songs=songs_in(slakh, "slakh"), live=live))
    found = {(row.model, row.stem): row.usdr for row in rows if row.song.startswith("u0")}
    assert set(found) == {(model, stem) for model in ("mix", PAIR) for stem in ("drums", "no_drums")}
    drums, rest = np.stack([noise(0)] * 2), np.stack([noise(1) + noise(2)] * 2)
    mix = drums + rest
    for stem, reference in (("drums", drums), ("no_drums", rest)):
        assert found["mix", stem] == pytest.approx(usdr(reference, mix), abs=1e-3)
        assert found[PAIR, stem] == pytest.approx(usdr(reference, mix / 2), abs=1e-3)


def test_models_of_several_groups_share_the_rows_of_the_mix(slakh):
    models = {name: (name, {}) for name in (PAIR, BAND, USUAL)}
    rows = [row for row in evaluate_folder(slakh, models, songs=songs_in(slakh, "auto")) if row.measure == "uSDR"]
    stems = {name: {row.stem for row in rows if row.model == name} for name in ("mix", *models)}
    assert stems[BAND] == {"piano", "bass", "drums"}
    assert stems[USUAL] == {"drums", "bass", "other", "accompaniment"}  # the vocals are known to be silent
    assert stems["mix"] == stems[PAIR] | stems[BAND] | stems[USUAL]
    assert len({(row.song, row.stem) for row in rows if row.model == "mix"}) == sum(
        row.model == "mix" for row in rows
    )
    for name in models:
        for row in rows:
            if row.model == name and row.stem == "bass":
                assert row.decibels > 0


def test_a_model_of_windows_is_scored_as_for_files_unless_live():
    loud = np.stack([noise(0)] * 2)
    files, live = ScoredModel(PAIR, {}), ScoredModel(PAIR, {}, live=True)
    for model, latency in ((files, 100), (live, 0)):
        assert np.abs(model.separate(loud, RATE)["drums"] - loud / 2).max() < 1e-6
        assert model._separator(RATE).latency == latency
    assert files._separator(RATE).peak > 0
    assert files._separator(48000).sample_rate == RATE
    assert live._separator(48000).sample_rate == 48000
    made = files.separate(loud, 48000)["drums"]
    assert made.shape == loud.shape
    assert usdr(loud / 2, made) > 8  # as nothing above 22 kHz of noise is left


class Many(Halves):
    calls = 0

    def process_many(self, block):
        self.calls += 1
        return np.concatenate(
            [self.process(block[:, at : at + self.hop]) for at in range(0, block.shape[1], self.hop)], axis=2
        )


def test_hops_are_computed_in_blocks_unless_live(monkeypatch):
    monkeypatch.setattr("stream_sep.evaluation.scored_model._BLOCK", 2048)
    separator = Many(("a", "b"), RATE)
    mix = np.stack([noise(1)] * 2)
    blocks = separate_song(separator, mix)["a"]
    assert separator.calls == -(-len(noise(1)) // 2048)
    assert np.array_equal(separate_song(separator, mix, live=True)["a"], blocks)
    assert separator.calls == -(-len(noise(1)) // 2048)


@pytest.mark.parametrize(
    ("stems", "groups"),
    [
        (("drums", "bass", "other", "vocals"), FOUR),
        (("vocals", "instrumental"), SourceGroups((("vocals", ("vocals",)), ("instrumental", ("rest",))))),
        (("other", "no_other"), SourceGroups((("other", ("other",)), ("no_other", ("rest",))))),
        (tuple(PRESETS["band"]), SourceGroups.preset("band")),
        (("a", "b"), None),
        (("vocals",), None),
    ],
)
def test_groups_follow_from_the_names_of_stems(stems, groups):
    assert groups_of(stems, "mine", {}) == groups


def test_the_command_scores_a_data_set_and_names_what_it_looked_for(slakh, tmp_path):
    from stream_sep.cli import app  # noqa: PLC0415 - the command line is heavy

    done = CliRunner().invoke(app, ["evaluate", str(slakh), "--model", PAIR, "--limit", "1"])
    assert done.exit_code == 0, done.exception
    assert "| uSDR, dB | drums | no_drums | songs |" in done.output
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioFileError, match="no song of any known layout"):
        songs_in(tmp_path / "empty", "auto")
