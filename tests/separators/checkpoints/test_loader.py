"""Published checkpoints, tiny and random, of each architecture: through every way in, and every way to go wrong."""

import pickle

import numpy as np
import pytest
import soundfile
from requirements import require_package
from streaming import separate

from stream_sep.errors import SeparatorError
from stream_sep.files.batch import separate_all
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.model_identities import ModelIdentityCache
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.files.tracks import find_tracks
from stream_sep.separators import load_separator

require_package("torch", "checkpoints")
require_package("pymss_core", "checkpoints")

import torch
from pymss_core import get_model_from_config

CHUNK = 8192
ROFORMER = """
model:
  dim: 8
  depth: 1
  stereo: true
  num_stems: {stems}
  time_transformer_depth: 1
  freq_transformer_depth: 1
  dim_head: 4
  heads: 2
  stft_n_fft: 512
  stft_hop_length: 128
  stft_win_length: 512
  mask_estimator_depth: 1
  flash_attn: false
  {bands}
"""
SCNET = """
model:
  sources: [drums, bass, other, vocals]
  audio_channels: 2
  dims: [4, 8, 8, 8]
  nfft: 512
  hop_size: 128
  win_size: 512
  normalized: true
  band_SR: [0.175, 0.392, 0.433]
  band_stride: [1, 4, 16]
  band_kernel: [3, 4, 16]
  conv_depths: [1, 1, 1]
  compress: 2
  conv_kernel: 3
  num_dplayer: 2
  expand: 1
"""
MDX23C = """
model:
  act: gelu
  bottleneck_factor: 4
  growth: 4
  norm: InstanceNorm
  num_blocks_per_scale: 1
  num_channels: 4
  num_scales: 2
  num_subbands: 2
  scale: [2, 2]
"""
AUDIO = """
audio:
  chunk_size: {chunk}
  dim_f: 256
  dim_t: 64
  hop_length: 128
  n_fft: 512
  num_channels: 2
  sample_rate: 44100
training:
  instruments: {instruments}
  target_instrument: {target}
"""
FOUR = "[drums, bass, other, vocals]"
BANDS = "freqs_per_bands: !!python/tuple [2, 2, 4, 8, 16, 32, 64, 129]"
CONFIGS = {
    "bs_roformer": (ROFORMER.format(stems=1, bands=BANDS), "[vocals, other]", "vocals"),
    "mel_band_roformer": (
        ROFORMER.format(stems=2, bands="num_bands: 8\n  sample_rate: 44100"),
        "[Vocals, Instrumental]",
        "null",
    ),
    "scnet": (SCNET, FOUR, "null"),
    "mdx23c": (MDX23C, "[vocals, instrumental]", "null"),
}
STEMS = {
    "bs_roformer": ("vocals", "other"),
    "mel_band_roformer": ("vocals", "instrumental"),
    "scnet": ("drums", "bass", "other", "vocals"),
    "mdx23c": ("vocals", "instrumental"),
}


def write(folder, name, suffix=".ckpt"):
    """A config and random weights for it; the chunk of MDX23C is what its frames come to."""
    text, instruments, target = CONFIGS[name]
    chunk = 128 * 63 if name == "mdx23c" else CHUNK
    config = folder / f"{name}.yaml"
    config.write_text(text + AUDIO.format(chunk=chunk, instruments=instruments, target=target))
    torch.manual_seed(0)
    network, _ = get_model_from_config(name, str(config))
    path = folder / f"{name}{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_model  # noqa: PLC0415 - only here

        save_model(network, str(path))
    else:
        torch.save({"state_dict": network.state_dict()}, path)
    return path


def music(frames, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)


LIVE = {"hop_ms": 50, "lookahead_ms": 20, "threads": 1}


@pytest.mark.parametrize("name", CONFIGS)
def test_it_plays_live_and_its_stems_add_up(tmp_path, name):
    separator = load_separator(str(write(tmp_path, name)), **LIVE)
    assert separator.stems == STEMS[name]
    mix = music(20_000)
    stems = separate(separator, mix)
    assert np.abs(sum(stems.values()) - mix).max() < 1e-5
    assert all(np.isfinite(stem).all() and np.abs(stem).max() > 0 for stem in stems.values())
    assert not separate(load_separator(str(tmp_path / f"{name}.ckpt"), **LIVE), 0 * mix)[separator.stems[0]].any()


@pytest.mark.parametrize("name", CONFIGS)
def test_it_separates_files_of_any_rate_in_its_own_windows(tmp_path, name):
    path = write(tmp_path, name)
    soundfile.write(tmp_path / "song.wav", music(15_000).T, 44100, subtype="FLOAT")
    job = SeparationJob(
        settings=SeparationSettings(model=str(path)), out=tmp_path / "out", format=AudioFormat("wav", 32)
    )
    ((_, outcome),) = separate_all(find_tracks([tmp_path / "song.wav"], job.out), job, lambda *_: None)
    assert not outcome.error
    assert {file.stem for file in outcome.files} == set(STEMS[name])
    total = sum(soundfile.read(file)[0] for file in outcome.files)
    assert total.shape == (15_000, 2)
    assert np.abs(total - music(15_000).T).max() < 1e-4


@pytest.mark.parametrize("named", ["beside", "option", "kind"])
def test_stems_of_an_edited_config_are_not_those_of_the_old_one(tmp_path, named):
    path = write(tmp_path, "scnet")
    config = path.with_suffix(".yaml")
    settings = {
        "beside": SeparationSettings(model=str(path)),
        "option": SeparationSettings(model=str(path), options={"config": str(config)}),
        "kind": SeparationSettings(model="checkpoint", options={"weights": str(path)}),
    }[named]
    known = ModelIdentityCache(tmp_path)
    key = StreamingSongModel(None, settings).cache_key
    known.put(settings, key)
    assert known.get(settings) == key == StreamingSongModel(None, settings).cache_key
    config.write_text(
        config.read_text().replace("[drums, bass, other, vocals]", "[bass, drums, other, vocals]") + "\n"
    )
    assert known.get(settings) is None
    assert StreamingSongModel(None, settings).cache_key != key


def test_the_config_may_lie_elsewhere_and_weights_be_safetensors(tmp_path):
    path = write(tmp_path, "scnet")
    moved = tmp_path / "elsewhere.yaml"
    path.with_suffix(".yaml").rename(moved)
    assert load_separator(str(path), config=str(moved), **LIVE).stems == STEMS["scnet"]
    safe = write(tmp_path, "mdx23c", ".safetensors")
    assert load_separator(str(safe), **LIVE).stems == STEMS["mdx23c"]
    assert load_separator("checkpoint", weights=str(safe), **LIVE).stems == STEMS["mdx23c"]


@pytest.mark.parametrize(
    ("instruments", "target", "stems"),
    [
        ("[vocals, drums, bass, other]", "other", ("other", "no_other")),
        ("[other]", "null", ("other", "no_other")),
        ("[Vocals, drums, bass, other]", "vocals", ("vocals", "other")),
        ("[other, vocals]", "other", ("other", "vocals")),
    ],
)
def test_one_output_and_its_rest_have_two_names(tmp_path, instruments, target, stems):
    path = write(tmp_path, "bs_roformer")
    _, old, chosen = CONFIGS["bs_roformer"]
    config = path.with_suffix(".yaml")
    config.write_text(
        config.read_text()
        .replace(f"instruments: {old}", f"instruments: {instruments}")
        .replace(f"target_instrument: {chosen}", f"target_instrument: {target}")
    )
    separator = load_separator(str(path), **LIVE)
    assert separator.stems == stems
    mix = music(20_000)
    assert np.abs(sum(separate(separator, mix).values()) - mix).max() < 1e-5


def test_config_that_names_an_instrument_twice_is_refused(tmp_path):
    config = write(tmp_path, "scnet").with_suffix(".yaml")
    config.write_text(config.read_text().replace(FOUR, "[drums, Drums, other, vocals]"))
    with pytest.raises(SeparatorError, match="names an instrument twice: drums, drums"):
        load_separator(str(tmp_path / "scnet.ckpt"), **LIVE)


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def spoil(path, how):
    config = path.with_suffix(".yaml")
    if how == "no weights":
        path.unlink()
    elif how == "no config":
        config.unlink()
    elif how == "code":
        path.write_bytes(pickle.dumps(Evil()))
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif how == "other weights":
        torch.save({"state_dict": {"x": torch.zeros(3)}}, path)
    elif how == "list":
        torch.save([torch.zeros(3)], path)
    elif how == "other config":
        config.write_text("model: {in_channel: 1, stems: [a], band_specs: x}\n")
    elif how == "code in the config":
        config.write_text("model: !!python/object/apply:os.getcwd []\n")
    elif how == "no table":
        config.write_text("- 3\n")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no weights", "weights file not found"),
        ("no config", "needs its config, and there is no"),
        ("code", "not a checkpoint of tensors alone"),
        ("cut", "not a checkpoint of tensors alone"),
        ("other weights", "do not fit their config"),
        ("list", "does not contain a state dict"),
        ("other config", "describes a bandit; played are"),
        ("code in the config", "cannot be read as a config"),
        ("no table", "its root must be a table"),
    ],
)
def test_what_is_missing_or_wrong_gives_one_error_message_and_runs_nothing(tmp_path, capsys, how, words):
    path = write(tmp_path, "scnet")
    spoil(path, how)
    with pytest.raises(SeparatorError, match=words):
        load_separator(str(path), **LIVE)
    assert "executed" not in capsys.readouterr().out


def test_a_checkpoint_by_name_needs_its_file():
    with pytest.raises(SeparatorError, match="needs its file: --model FILE"):
        load_separator("checkpoint")
