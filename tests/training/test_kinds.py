"""Every kind of network through all that a kind must do; add yours to `KINDS` and all of it runs."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from requirements import require_package
from typer.testing import CliRunner

from stream_sep.errors import ConfigError, SeparatorError, StreamSepError
from stream_sep.files.batch import separate_all
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.tracks import find_tracks
from stream_sep.protocols import STEMS
from stream_sep.separators import FORMATS, NEEDS_WEIGHTS, REGISTRY, load_separator, short_name
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.separators.weight_file import read_metadata, with_digest

require_package("torch", "train")

import torch
from safetensors.torch import load

from stream_sep.training.config import TeachConfig
from stream_sep.training.config_file import read_config
from stream_sep.training.data.cache import RATE, build_cache
from stream_sep.training.data.layouts import find_stem_songs
from stream_sep.training.kinds import KINDS, build_model, load_kind, load_model, save_weights
from stream_sep.training.trainer import Trainer

TABLES = {
    "causal": {"size": "tiny"},
    "frame-transformer": {"size": "tiny"},
    "hs-tasnet": {"hidden": 8, "basis": 6},
    "unet": {"base": 2},
}
PAIR = SourceGroups.preset("drums-no_drums")
CONFIG = """
groups = "{groups}"
[network]
{network}
[data]
caches = ["cache"]
validation_percent = 50
[training]
steps = {steps}
batch = 2
seconds = 0.4
burn_in_seconds = 0.0
validate_every = 100
threads = 1
"""


def test_every_kind_is_tested_and_played_by_name():
    assert set(TABLES) == set(KINDS) <= set(NEEDS_WEIGHTS)
    assert {load_kind(name).format: name for name in KINDS}.items() <= FORMATS.items()


def write(kind, path, groups=FOUR):
    torch.manual_seed(0)
    model = build_model(kind, TABLES[kind], groups=groups)
    save_weights(kind, model, path, {"step": "3"}, groups)
    return model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a cache of six short songs by six artists."""
    folder = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(0)
    for number in range(6):
        for stem in STEMS:
            path = folder / f"songs/Artist {number} - Song/{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal((RATE // 2, 2)), RATE, subtype="FLOAT")
    build_cache(find_stem_songs(folder / "songs"), folder / "cache")
    return folder


def config(home, kind, groups="four", steps=2):
    rows = {"kind": kind, **TABLES.get(kind, {})}
    lines = [f"{key} = {value!r}" for key, value in rows.items()]
    file = home / f"{kind.replace(':', '_')}.toml"
    file.write_text(CONFIG.format(network="\n".join(lines), groups=groups, steps=steps))
    return read_config(file)


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_kept_and_loaded(tmp_path, kind):
    model = write(kind, tmp_path / "w.safetensors")
    name, loaded, groups = load_model(tmp_path / "w.safetensors")
    assert (name, groups, loaded.stems) == (kind, FOUR, STEMS)
    assert same(model.network.state_dict(), loaded.network.state_dict())


@pytest.mark.parametrize("named", ["file", "name"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_played_by_its_file_and_by_its_name(tmp_path, kind, named):
    path = str(tmp_path / "w.safetensors")
    write(kind, Path(path))
    separator = load_separator(path) if named == "file" else load_separator(kind, weights=path)
    assert separator.stems == STEMS
    out = separator.process(np.zeros((2, separator.hop), np.float32))
    assert out.shape == (4, 2, separator.hop)
    with pytest.raises(ConfigError, match="name one"):
        load_separator(path, weights=path)


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"causal"}))
def test_it_separates_into_any_groups(tmp_path, kind):
    write(kind, tmp_path / "w.safetensors", PAIR)
    assert load_model(tmp_path / "w.safetensors")[2] == PAIR
    for rate in (44100, 22050):
        assert load_separator(str(tmp_path / "w.safetensors"), rate).stems == ("drums", "no_drums")


@pytest.mark.parametrize("size", ["{}", '{"base": "x"}', "[3]", '{"base": 0}', '{"size": "huge"}', '{"hidden": -1}'])
@pytest.mark.parametrize("kind", KINDS)
def test_sizes_in_a_file_that_describe_no_network_are_an_error_message(tmp_path, kind, size):
    path = tmp_path / "w.safetensors"
    write(kind, path)
    notes, data = read_metadata(path)
    path.write_bytes(with_digest(load(data), {**notes, "size": size}))
    with pytest.raises(StreamSepError, match=r"w\.safetensors|size|sizes|no setting"):
        load_separator(str(path))


def test_unsupported_kind_is_refused_with_those_that_work():
    with pytest.raises(ConfigError, match='"frame-transformer" or "unet"'):
        build_model("causal", {"size": "tiny"}, groups=PAIR)


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_begins_with_weights_and_is_taught(home, tmp_path, kind):
    plan = config(home, kind)
    trainer = Trainer(plan, tmp_path / "out", device="cpu")
    before = {name: value.clone() for name, value in trainer.model.network.state_dict().items()}
    trainer.run(lambda _text: None)
    assert not same(before, trainer.model.network.state_dict())
    best = tmp_path / "out/best.safetensors"
    assert load_separator(str(best)).stems == STEMS
    begun = dataclasses.replace(plan, training=dataclasses.replace(plan.training, init_weights=str(best)))
    again = Trainer(begun, tmp_path / "begun", device="cpu")
    assert same(load_model(best)[1].network.state_dict(), again.model.network.state_dict())
    taught = Trainer(dataclasses.replace(plan, teach=TeachConfig((str(best),))), tmp_path / "taught", device="cpu")
    taught.run(lambda _text: None)
    assert all(torch.isfinite(value).all() for value in taught.model.state_dict().values())


@pytest.mark.parametrize("kind", ["frame-transformer", "unet"])
def test_it_trains_for_two_groups_and_goes_on_with_them_only(home, tmp_path, kind):
    plan = config(home, kind, "drums-no_drums")
    trainer = Trainer(plan, tmp_path / "out", device="cpu")
    trainer.run(lambda _text: None)
    assert "usdr_no_drums" in (tmp_path / "out/curves.csv").read_text()
    assert load_separator(str(tmp_path / "out/best.safetensors")).stems == ("drums", "no_drums")
    with pytest.raises(ConfigError, match="another network"):
        Trainer(config(home, kind, "vocals-instruments"), tmp_path / "out", device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_shows_what_a_file_holds(tmp_path, kind):
    from stream_sep.cli import app  # noqa: PLC0415 - the command line is heavy

    write(kind, tmp_path / "w.safetensors")
    done = CliRunner().invoke(app, ["models", "show", str(tmp_path / "w.safetensors")])
    assert done.exit_code == 0, done.exception
    assert "algorithmic latency: " in done.output
    assert "stems: vocals, drums, bass, other" in done.output
    assert load_kind(kind).format in done.output


def test_teachers_of_other_groups_are_refused(home, tmp_path):
    write("unet", tmp_path / "t.safetensors", PAIR)
    plan = dataclasses.replace(config(home, "unet"), teach=TeachConfig((str(tmp_path / "t.safetensors"),)))
    with pytest.raises(ConfigError, match="teachers separate into drums, no_drums, the network into vocals"):
        Trainer(plan, tmp_path / "out", device="cpu")


OWN = '''
"""A kind of one's own: the U-Net under another name."""
from stream_sep.training.unet import UNetKind


class Mine(UNetKind):
    format = "mine 1"

    def load_separator(self, *, sample_rate=44100, weights=None):
        from stream_sep.separators.passthrough import PassthroughSeparator
        return PassthroughSeparator(sample_rate=sample_rate, hop=int(weights == "some") + 64)


KIND = Mine()
nothing = 3
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield "mine:KIND"
    sys.modules.pop("mine", None)


def test_a_kind_of_ones_own_trains_and_plays(home, tmp_path, own):
    trainer = Trainer(config(home, own), tmp_path / "out", device="cpu")
    trainer.run(lambda _text: None)
    best = tmp_path / "out/best.safetensors"
    assert load_separator(own, weights="some").hop == 65
    with pytest.raises(SeparatorError, match=r"--model package\.module:KIND --option weights="):
        load_separator(str(best))  # a file never names code to import
    with pytest.raises(SeparatorError, match="no kind of network here reads"):
        load_model(best)
    assert load_model(best, own)[0] == own


@pytest.mark.parametrize(
    ("name", "words"),
    [("nowhere:KIND", "cannot be imported"), ("mine:nothing", "is not a kind"), ("no", "choose one of")],
)
def test_what_is_no_kind_is_refused(own, name, words):
    assert own
    with pytest.raises(ConfigError, match=words):
        build_model(name, {})


def test_an_unknown_name_lists_all_that_there_are():
    with pytest.raises(SeparatorError, match="choose from") as raised:
        load_separator("nobody")
    assert all(short_name(name) in str(raised.value) for name in (*REGISTRY, *NEEDS_WEIGHTS))


@pytest.mark.parametrize("damage", [b"", b"{}", b"\0" * 100])
def test_a_damaged_file_gives_one_error_message(tmp_path, damage):
    (tmp_path / "w.safetensors").write_bytes(damage)
    with pytest.raises(SeparatorError, match=r"w\.safetensors"):
        load_separator(str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_stand_in_for_trained_ones(kind):
    if kind != "causal":
        assert load_separator(kind, weights="random").stems == STEMS


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_separates_with_it(tmp_path, kind):
    """`separate --model` by name and by file; the stems are as long as the song and add up to it."""
    write(kind, tmp_path / "w.safetensors", FOUR if kind == "causal" else PAIR)
    mix = 0.1 * np.random.default_rng(0).standard_normal((RATE // 2 + 77, 2))
    soundfile.write(tmp_path / "song.wav", mix, RATE, subtype="FLOAT")
    file = tmp_path / "w.safetensors"
    settings = SeparationSettings(model=str(file)), SeparationSettings(model=kind, options={"weights": str(file)})
    for number, each in enumerate(settings):
        assert SeparationJob(settings=settings[0]).folder.name == f"{tmp_path.name}-w"
        job = SeparationJob(settings=each, out=tmp_path / str(number), format=AudioFormat("wav", 32), cache_gb=0.0)
        ((_, outcome),) = separate_all(find_tracks([tmp_path / "song.wav"], job.out), job, lambda *_: None)
        assert not outcome.error
        total = sum(soundfile.read(path)[0] for path in outcome.files)
        assert total.shape == mix.shape
        assert np.abs(total - mix).max() < 1e-4
