"""Weights of other projects: exact counts, sizes read off tensors, no pickle run, and sound in the end."""

import math
import pickle

import numpy as np
import pytest
from noise import gaussian_noise
from requirements import require_package
from streaming import separate

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_statistics import measure_song
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.separators import load_separator
from stream_sep.separators.spectral_peak import spectral_peak

require_package("torch", "train")

import torch

from stream_sep.separators.imported.cascaded_net import CascadedNet, CascadedNetConfig
from stream_sep.separators.imported.frame_transformer_2022 import FrameTransformer2022, FrameTransformer2022Config
from stream_sep.separators.imported.importer import import_checkpoint, recognize

TINY = {"channels": 2, "encoders": 1, "decoders": 2, "bins": 64, "heads": 2, "feedforward": 16, "crop": 32}
FORMS = {
    "published": {},
    "renamed": {"skip": "skip"},
    "residual": {"residual": True, "kernel": 7, "skip": "skip"},
    "post-norm": {"post_norm": True, "encoders": 0},
}


def weights_of(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize(
    ("changes", "weights", "tensors"),
    [
        ({}, 162_720_306, 1410),
        ({"residual": True, "kernel": 7, "skip": "skip"}, 162_985_970, None),
        ({"channels": 24, "encoders": 0, "decoders": 3, "feedforward": 2048, "post_norm": True}, 157_325_213, None),
    ],
)
def test_the_frame_transformer_has_the_weights_of_each_published_version(changes, weights, tensors):
    with torch.device("meta"):
        network = FrameTransformer2022(FrameTransformer2022Config(**changes))
    assert weights_of(network) == weights
    assert tensors in {None, len(network.state_dict())}


@pytest.mark.parametrize(
    ("changes", "weights", "tensors"),
    [
        ({}, 14_740_882, 689),  # 5.0.0 to 5.1.1
        ({"is_complex": True}, 14_742_866, 689),  # 6.0.0b2
        ({"masks_vocals": True, "has_auxiliary": False}, 14_740_898, 688),  # 6.0.0b4
        ({"is_complex": True, "masks_vocals": True, "has_auxiliary": False}, 14_742_898, 688),
    ],
)
def test_cascaded_net_has_the_weights_of_each_version(changes, weights, tensors):
    with torch.device("meta"):
        network = CascadedNet(CascadedNetConfig(**changes))
    assert weights_of(network) == weights
    assert len(network.state_dict()) == tensors


SIX = {"masks_vocals": True, "has_auxiliary": False}
CASCADED = {
    "cascaded": {},
    "cascaded complex": {"is_complex": True},
    "cascaded 6": SIX,
    "cascaded 6 complex": {**SIX, "is_complex": True},
}


def networks():
    torch.manual_seed(0)
    for name, changes in FORMS.items():
        yield name, FrameTransformer2022(FrameTransformer2022Config(**{**TINY, **changes}))
    for name, changes in CASCADED.items():
        yield name, CascadedNet(CascadedNetConfig(8, 8, 64, **changes))


NAMES = [*FORMS, *CASCADED]


def write(folder, name):
    network = dict(networks())[name].eval()
    path = folder / f"{name}.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_read_off_the_tensors(tmp_path, name):
    network, path = write(tmp_path, name)
    _, sizes = recognize(network.state_dict(), path)
    assert sizes == {key: getattr(network.config, key) for key in sizes}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_imported_and_plays_as_vocals_and_instruments(tmp_path, name):
    network, path = write(tmp_path, name)
    import_checkpoint(path, tmp_path / "out.safetensors")
    separator = load_separator(str(tmp_path / "out.safetensors"), threads=1)
    assert separator.stems == ("vocals", "instruments")
    mix = 0.1 * np.random.default_rng(0).standard_normal((2, 9000)).astype(np.float32)
    stems = separate(separator, mix)
    assert all(np.abs(stem).max() > 1e-4 for stem in stems.values())
    files = load_separator(str(tmp_path / "out.safetensors"), threads=1).for_files()
    if not getattr(network.config, "masks_vocals", False):  # as these masks are not bound to add up to 1
        assert np.abs(sum(stems.values()) - mix).max() < 1e-6
        assert np.abs(sum(separate(files, mix).values()) - mix).max() < 1e-6
    kept = files._model.network.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in network.state_dict().items())


def test_the_position_term_is_the_transposed_one():
    """Row i, column j: the query of frame j times column i of the table."""
    network = dict(networks())["published"]
    attention = network.get_submodule("out_transformer.0.self_attn1")
    x = torch.randn(1, 32, 64)
    q, k, v = (attention._heads(name, x) for name in "qkv")
    scores = torch.empty(1, 2, 32, 32)
    for i in range(32):
        for j in range(32):
            scores[..., i, j] = (q[:, :, i] * k[:, :, j]).sum(-1) + (q[:, :, j] * attention.er[:, i]).sum(-1)
    expected = attention.o_proj((torch.softmax(scores / math.sqrt(64), dim=-1) @ v).transpose(1, 2).flatten(2))
    assert torch.allclose(attention(x, x), expected, atol=1e-5)


def test_what_a_network_was_wrapped_in_for_training_is_taken_off(tmp_path):
    network, path = write(tmp_path, "cascaded")
    torch.save({"state_dict": {f"module.{key}": value for key, value in network.state_dict().items()}}, path)
    assert import_checkpoint(path, tmp_path / "out.safetensors") == "vocal-remover"


class Recorder(torch.nn.Module):
    """Keeps what it is shown, and gives a mask of 1 in the middle frames, or in all."""

    def __init__(self, margin=0):
        super().__init__()
        self.seen, self.margin = [], margin

    def forward(self, spectra):
        self.seen.append(float(spectra.abs().max()))
        masks = torch.zeros(spectra.shape)
        masks[..., self.margin : spectra.shape[-1] - self.margin] = 1
        return masks


def recorder(folder, name, margin=0, **options):
    """A separator whose network is a recorder, and that network."""
    _, path = write(folder, name)
    import_checkpoint(path, folder / "out.safetensors")
    separator = load_separator(str(folder / "out.safetensors"), threads=1, **options)
    separator._windows.network = Recorder(margin)
    return separator, separator._windows.network


def fading(frames):
    """Noise that gets 40 dB softer after its first half."""
    song = 0.1 * np.random.default_rng(0).standard_normal((2, frames)).astype(np.float32)
    song[:, frames // 2 :] *= 0.01
    return song


@pytest.mark.parametrize("name", ["published", "cascaded"])
def test_for_files_the_level_is_that_of_the_whole_song(tmp_path, name):
    live, network = recorder(tmp_path, name)
    separator = live.for_files()
    song = fading(4 * separator.hop)[:, ::-1].copy()
    assert separator.stft_size == 128
    separator.set_peak(spectral_peak([song], separator.stft_size))
    separate(separator, song)
    assert min(network.seen[:2]) < 0.02
    assert max(network.seen) == pytest.approx(1, abs=0.1)


def test_songs_of_the_command_are_divided_by_their_own_peaks(tmp_path):
    _, path = write(tmp_path, "published")
    import_checkpoint(path, tmp_path / "out.safetensors")
    model = StreamingSongModel(None, SeparationSettings(model=str(tmp_path / "out.safetensors"), threads=1))
    network = model._idle[0]._model.network = Recorder()
    for loud in (1.0, 0.1):
        song = fading(20_000)[:, ::-1].copy() * np.float32(loud)
        list(model.separate([song], 44100, measure_song([song], model.stft_size)))
        assert network.seen[0] < 0.02
        assert max(network.seen) == pytest.approx(1, abs=0.1)
        network.seen.clear()


def test_live_the_level_falls_by_a_decibel_a_second(tmp_path):
    separator, network = recorder(tmp_path, "published", hop_ms=20)
    song = fading(8 * separator.hop * 10)
    for at in range(0, song.shape[1], separator.hop):
        separator.process(song[:, at : at + separator.hop])
    soft = network.seen[-1]
    assert 0.005 < soft < 0.02  # 40 dB softer, after 0.8 s
    separator.reset()
    network.seen.clear()
    separator.process(song[:, -separator.hop :])
    assert network.seen == [pytest.approx(1)]


def test_the_level_falls_in_silence_too(tmp_path):
    separator, network = recorder(tmp_path, "published", hop_ms=20)
    frames = 4 * separator.hop  # more than a window
    loud = 0.1 * np.sin(np.arange(2 * frames) * np.pi / 4).astype(np.float32).reshape(2, -1)
    for block in (loud, np.zeros((2, 100 * separator.hop), np.float32), 0.1 * loud):
        for at in range(0, block.shape[1], separator.hop):
            separator.process(block[:, at : at + separator.hop])
    seconds = 104 * separator.hop / 44100
    assert 20 * np.log10(network.seen[-1]) == pytest.approx(-20 + seconds, abs=0.3)


def test_vocal_remover_keeps_the_inner_frames_of_a_window_only(tmp_path):
    live, network = recorder(tmp_path, "cascaded", margin=64)
    separator = live.for_files()
    song = fading(5 * separator.hop)
    instruments = separate(separator, song)["instruments"]
    assert len(network.seen) >= 5
    assert np.abs(instruments - song).max() < 1e-5
    network.margin = 70
    assert np.abs(separate(separator, song)["instruments"] - song).max() > 0.01


def test_imported_networks_use_the_threads_and_the_device_of_the_caller(tmp_path):
    _, path = write(tmp_path, "cascaded")
    import_checkpoint(path, tmp_path / "out.safetensors")
    threads = torch.get_num_threads()
    try:
        load_separator(str(tmp_path / "out.safetensors"), threads=3)
        assert torch.get_num_threads() == 3
        load_separator(str(tmp_path / "out.safetensors"))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    with pytest.raises(ConfigError, match="torch finds no device 'quantum' here"):
        load_separator(str(tmp_path / "out.safetensors"), device="quantum")


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def spoil(network, path, how):
    tensors = dict(network.state_dict())
    if how == "shape":
        tensors["dec1.conv.body.0.weight"] = tensors["dec1.conv.body.0.weight"][:, :3]
    elif how == "missing":
        del tensors["dec1.conv.body.0.weight"]
    elif how == "more":
        tensors["x.y"] = torch.zeros(2)
    elif how == "other":
        tensors = {"conv.weight": torch.zeros(2)}
    torch.save(tensors, path)
    if how == "code":
        path.write_bytes(pickle.dumps(Evil()))
    elif how == "gone":
        path.unlink()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("shape", r"'dec1\.conv\.body\.0\.weight' does not fit"),
        ("missing", r"'dec1\.conv\.body\.0\.weight' does not fit .*nothing found"),
        ("more", r"'x\.y' does not fit"),
        ("other", "not of a network that can be imported: it begins with 'conv.weight'"),
        ("code", "not a checkpoint of tensors alone"),
        ("gone", "weights file not found"),
    ],
)
def test_what_does_not_fit_gives_one_error_message_and_leaves_no_file(tmp_path, capsys, how, words):
    network, path = write(tmp_path, "published")
    spoil(network, path, how)
    with pytest.raises(SeparatorError, match=words):
        import_checkpoint(path, tmp_path / "out.safetensors")
    assert "executed" not in capsys.readouterr().out
    assert not (tmp_path / "out.safetensors").exists()


def test_file_of_keras_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(SeparatorError, match="decibels and gives no sound"):
        import_checkpoint(tmp_path / "modelCheckpoint.h5", tmp_path / "out.safetensors")


@pytest.mark.parametrize("named", ["folder", "file"])
def test_saved_model_is_refused_as_such(tmp_path, named):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"x")
    source = folder if named == "folder" else folder / "saved_model.pb"
    with pytest.raises(SeparatorError, match=r"is a SavedModel of TensorFlow.*cannot be imported"):
        import_checkpoint(source, tmp_path / "out.safetensors")


@pytest.mark.parametrize("is_complex", [False, True])
def test_two_output_layers_of_a_beta_are_joined_in_the_order_of_later_versions(tmp_path, is_complex):
    name = "cascaded 6 complex" if is_complex else "cascaded 6"
    network, path = write(tmp_path, name)
    tensors = dict(network.state_dict())
    rows = tensors.pop("out.weight")
    pairs = rows.split(2)  # the real parts of instruments and vocals, then the imaginary ones
    tensors["out_y.weight"], tensors["out_v.weight"] = torch.cat(pairs[0::2]), torch.cat(pairs[1::2])
    torch.save(tensors, path)
    import_checkpoint(path, tmp_path / "out.safetensors")
    files = load_separator(str(tmp_path / "out.safetensors"), threads=1).for_files()
    assert torch.equal(files._model.network.out.weight, rows)


def masks_as_published(network, spectra):
    """Version 6.0.0b4, written out: the outputs as one complex number each, their magnitude bounded by tanh."""
    outputs = []
    hook = network.out.register_forward_hook(lambda *passed: outputs.append(passed[-1]))
    returned = network(spectra)
    hook.remove()
    half = outputs[0].shape[1] // 2
    raw = outputs[0][:, :half].numpy() + 1j * outputs[0][:, half:].numpy()
    masks = np.tanh(np.abs(raw)) * np.exp(1j * np.angle(raw))
    return returned.numpy(), np.concatenate([masks, masks[:, :, -1:]], axis=2)


@pytest.mark.parametrize("name", ["cascaded complex", "cascaded 6 complex"])
def test_complex_masks_are_bounded_and_keep_their_phase(name):
    network = dict(networks())[name].eval()
    torch.nn.init.normal_(network.out.weight, std=2.0)
    spectra = torch.randn(1, 2, 65, 32, dtype=torch.complex64)
    with torch.no_grad():
        returned, expected = masks_as_published(network, spectra)
    assert np.abs(returned - expected).max() < 1e-5
    assert np.abs(returned).max() <= 1
    assert np.abs(returned.imag).max() > 0.1


def test_vocals_have_masks_of_their_own_where_the_network_has_them(tmp_path):
    network, path = write(tmp_path, "cascaded 6")
    with torch.no_grad():
        network.out.weight.zero_()  # masks of a half
        network.out.weight[2:] = -100.0
    torch.save(network.state_dict(), path)
    import_checkpoint(path, tmp_path / "out.safetensors")
    windows = load_separator(str(tmp_path / "out.safetensors"), threads=1).for_files()._model
    mix = gaussian_noise(9000)
    windows._level.peak = spectral_peak([mix], 128)
    vocals, instruments = windows(mix)
    assert np.abs(instruments - mix / 2).max() < 1e-5
    assert np.abs(vocals).max() < np.abs(instruments).max()
    assert np.abs(vocals + instruments - mix).max() > 0.1 * np.abs(mix).max()


def test_pth_file_as_a_model_is_refused_with_the_import_command(tmp_path):
    _, path = write(tmp_path, "cascaded")
    with pytest.raises(SeparatorError, match="stream-sep models import"):
        load_separator(str(path))
