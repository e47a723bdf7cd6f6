"""The U-Net: as many weights as the paper's, masks that add up to one, and a way back that loses nothing."""

import numpy as np
import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.evaluation.measures import si_sdr
from stream_sep.separators.overlap_add import OverlapAddSeparator
from stream_sep.separators.unet import windows
from stream_sep.separators.unet.network import UNet
from stream_sep.separators.unet.windows import UNetWindows, separate_song, separate_window

RATE = 44100


@pytest.mark.parametrize(
    ("base", "inputs", "outputs", "biases", "weights"),
    [
        (32, 1, 2, False, 11_418_656),
        (32, 1, 4, False, 11_418_720),
        (32, 1, 2, True, 11_420_098),
        (8, 1, 2, False, 715_016),
        (8, 2, 4, False, 715_104),
    ],
)
def test_it_has_the_weights_it_should(base, inputs, outputs, biases, weights):
    with torch.device("meta"):
        network = UNet(base, inputs, outputs, biases=biases)
    assert sum(each.numel() for each in network.parameters()) == weights


def music(frames, seed=0):
    rng, t = np.random.default_rng(seed), np.arange(frames) / RATE
    tone = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in rng.uniform(80, 2000, 4))
    return torch.from_numpy((0.05 * tone + 0.02 * rng.standard_normal((2, frames))).astype(np.float32))


class Oracle(torch.nn.Module):
    """Gives the logits of the true ratio masks of two sources, whatever it is shown; for one window."""

    def __init__(self, sources):
        super().__init__()
        self.sources = sources

    def forward(self, seen):
        bins, frames = seen.shape[2:]
        middle = [torch.stack([s[0] + s[1], s[0] - s[1]]) / 2 for s in self.sources]
        window = torch.hann_window(2048)
        spectra = [torch.stft(m, 2048, 512, window=window, pad_mode="constant", return_complex=True) for m in middle]
        logits = torch.log(torch.stack([s.abs().square()[:, :bins] + 1e-12 for s in spectra]))
        return torch.nn.functional.pad(logits, (0, frames - logits.shape[-1])).reshape(1, -1, bins, frames)


def cut(sources, window, half):
    """The sources as each window of a song sees them."""
    count = -(-sources.shape[-1] // half) + 1
    padded = torch.nn.functional.pad(sources, (half, (count + 1) * half - half - sources.shape[-1]))
    return padded.unfold(-1, window, half).permute(2, 0, 1, 3)


@pytest.mark.parametrize("frames", [100_001, 88_200, 30_000])
def test_with_true_masks_the_joined_windows_are_as_good_as_one_spectrum_of_the_song(monkeypatch, frames):
    sources = torch.stack([music(frames, 1), music(frames, 2)])
    mix = sources.sum(dim=0)
    whole = separate_window(Oracle(sources), mix[None])[0]
    oracles = map(Oracle, cut(sources, windows.WINDOW, windows.WINDOW // 2))
    monkeypatch.setattr(windows, "_AT_ONCE", 1)
    monkeypatch.setattr(Oracle, "__call__", lambda _self, seen: next(oracles).forward(seen))
    joined = separate_song(Oracle(sources), mix[None])[0]
    assert joined.shape == (2, 2, frames)
    for row in range(2):
        apart = [si_sdr(sources[row].numpy(), each[row].numpy()) for each in (whole, joined)]
        assert abs(apart[0] - apart[1]) < 0.2
    assert float((joined.sum(dim=0) - mix).abs().max()) < 1e-5


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("frames", [512, 20_000, 130_000])
def test_groups_add_up_to_a_mix_of_any_length_exactly_kept(groups, frames):
    torch.manual_seed(0)
    network = UNet(2, 2, 2 * groups).eval()
    mix = music(frames)[None]
    with torch.no_grad():
        for stems in (separate_window(network, mix), separate_song(network, mix)):
            assert stems.shape == (1, groups, 2, frames)
            assert float((stems.sum(dim=1) - mix).abs().max()) < 1e-5


def test_windows_fade_into_each_other_with_no_seam():
    """A model that delays nothing and scales by its window's number would step at each seam without the fade."""

    class Scaled:
        stems, sample_rate, channels = ("a", "b"), RATE, 2

        def __init__(self):
            self.number = 0

        def __call__(self, window):
            self.number += 1
            return np.stack([window * (self.number % 2), window * (1 - self.number % 2)])

    separator = OverlapAddSeparator(Scaled(), 1000)
    ones = np.ones((2, 500 * 10), np.float32)
    out = np.concatenate([separator.process(part).copy() for part in np.split(ones, 10, axis=1)], axis=2)
    steps = np.abs(np.diff(out[0, 0, 1000:]))
    assert steps.max() < 2 * np.pi / 1000
    assert np.abs(out.sum(axis=0)[:, 500:] - 1).max() < 1e-6


def test_a_song_in_blocks_is_the_song_at_once():
    torch.manual_seed(0)
    network = UNet(2, 2, 4).eval()
    mix = music(200_000)
    separator = OverlapAddSeparator(UNetWindows(network, ("drums", "no_drums")), windows.WINDOW)
    hop = separator.hop
    padded = np.pad(mix.numpy(), ((0, 0), (0, -200_000 % hop + hop)))
    out = np.concatenate(
        [separator.process(padded[:, at : at + hop]) for at in range(0, padded.shape[1], hop)], axis=2
    )
    with torch.no_grad():
        whole = separate_song(network, mix[None])[0].numpy()
    assert np.abs(out[..., hop:][..., :200_000] - whole).max() < 1e-5


def test_silence_gives_silence():
    network = UNet(2, 2, 4).eval()
    with torch.no_grad():
        assert not separate_song(network, torch.zeros(1, 2, 50_000)).any()
