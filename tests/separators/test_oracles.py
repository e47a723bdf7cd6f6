"""The way back from true masks to sound, for each kind of network: what is lost is not lost by the windows."""

import itertools

import numpy as np
import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.evaluation.measures import si_sdr
from stream_sep.evaluation.scored_model import separate_song
from stream_sep.separators import load_separator
from stream_sep.separators.imported.loader import InnerWindows, MaskWindows, OverlappingWindows
from stream_sep.separators.spectral_peak import SongPeak

RATE, BINS = 44100, 256


def music(frames, seed):
    """Decaying tones and bursts of noise, on two channels."""
    rng, t = np.random.default_rng(seed), np.arange(frames) / RATE
    tones = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in rng.uniform(80, 4000, 5))
    bursts = rng.standard_normal((2, frames)) * (np.sin(2 * np.pi * rng.uniform(2, 5) * t) > 0.8)
    return (0.05 * tones + 0.1 * bursts).astype(np.float32)


@pytest.fixture
def sources():
    return [music(100_003, seed) for seed in (1, 2)]


@pytest.mark.parametrize(("name", "lookahead"), [("frame-transformer", 0), ("frame-transformer-ahead", 3)])
@pytest.mark.parametrize("live", [True, False])
def test_masks_that_cut_out_a_source_give_that_source_in_a_frame_transformer(
    tiny_weights, sources, name, lookahead, live
):
    separator, helper = (load_separator(str(tiny_weights() / f"{name}.safetensors")) for _ in range(2))
    hop, mix = separator.hop, sources[0] + sources[1]
    padded = np.pad(sources[0], ((0, 0), (0, separator.latency + hop)))
    spectra = [helper._frames.analyze(padded[:, at : at + hop]).copy() for at in range(0, padded.shape[1] - hop, hop)]
    late = itertools.chain([np.zeros_like(spectra[0])] * lookahead, spectra, itertools.repeat(spectra[0] * 0))
    separator._mask = lambda given: np.stack([next(late) for _ in given])[:, None]
    made = separate_song(separator, mix, live=live)
    assert np.abs(made["drums"] - sources[0]).max() < 1e-5
    assert np.abs(made["no_drums"] - sources[1]).max() < 1e-5


def test_masks_that_cut_out_a_source_give_that_source_in_an_hs_tasnet(tiny_weights, sources):
    separator = load_separator(str(tiny_weights() / "hs-tasnet.safetensors"))
    network, window = separator._network, separator._network.window.square()
    padded = torch.from_numpy(np.pad(sources[0], ((0, 0), (512, 1536))))
    windows = iter(padded.unfold(-1, 1024, 512).transpose(0, 1))

    def separate(frames, state):
        one = next(windows) * window
        return torch.stack([one, frames[0, 0] * window - one])[None, None], state

    network.windows = separate
    made = separate_song(separator, sources[0] + sources[1])
    assert np.abs(made["drums"] - sources[0]).max() < 1e-5
    assert np.abs(made["no_drums"] - sources[1]).max() < 1e-5


def windows_of(separator, sound):
    """The windows in which a separator shows a sound to its model."""
    seen, model = [], separator._model
    nothing = np.zeros((len(separator.stems), 1, 1), np.float32)
    separator._model = lambda window: seen.append(window.copy()) or nothing + 0 * window
    separate_song(separator, sound)
    separator._model = model
    return seen


def test_masks_that_cut_out_a_source_give_that_source_in_whole_windows(tiny_weights, sources):
    path = str(tiny_weights() / "frame-transformer-whole.safetensors")
    separator = load_separator(path)
    given = iter(windows_of(separator, sources[0]))
    inner, helper = separator._model._separator, load_separator(path)._model._separator

    def mask(spectra):
        window = next(given)
        helper.reset()
        padded = np.pad(window, ((0, 0), (0, len(spectra) * inner.hop - window.shape[1])))
        return helper._spectra(padded)[:, None]

    inner._mask = mask
    made = separate_song(separator, sources[0] + sources[1])
    assert np.abs(made["drums"] - sources[0]).max() < 1e-4
    assert np.abs(made["no_drums"] - sources[1]).max() < 1e-4


def ratio_mask(vocals, instruments):
    """The share of the energy of two sounds that is the second's, ``(2, bins + 1, frames)``, and the spectrum."""
    window = torch.hann_window(2 * BINS)
    spectra = [
        torch.stft(torch.from_numpy(sound), 2 * BINS, BINS, window=window, pad_mode="constant", return_complex=True)
        for sound in (vocals, instruments)
    ]
    energies = [spectrum.abs().square() + 1e-12 for spectrum in spectra]
    return energies[1] / (energies[0] + energies[1]), spectra[0] + spectra[1]


class Oracle(torch.nn.Module):
    """Gives the masks of one window after the other."""

    def __init__(self):
        super().__init__()
        self.masks = iter(())

    def forward(self, magnitudes):
        return next(self.masks, torch.zeros(magnitudes.shape[1:]))[None]


@pytest.mark.parametrize("form", ["overlapping", "inner"])
def test_true_masks_of_imported_networks_are_joined_as_if_the_song_were_one_window(sources, form):
    vocals, instruments = sources
    network, level = Oracle(), SongPeak()
    windows = MaskWindows(network, BINS, level)
    if form == "overlapping":
        separator = OverlappingWindows(windows, level, 126 * BINS)
    else:
        separator = InnerWindows(windows, level, 255 * BINS, 64 * BINS)
    seen = [windows_of(separator, sound) for sound in sources]
    network.masks = (ratio_mask(*pair)[0] for pair in zip(*seen, strict=True))
    mix = vocals + instruments
    made = separate_song(separator, mix)
    mask, spectrum = ratio_mask(vocals, instruments)
    whole = torch.istft(
        mask * spectrum, 2 * BINS, BINS, window=torch.hann_window(2 * BINS), length=mix.shape[1]
    ).numpy()
    assert made["instruments"].shape == mix.shape
    assert np.abs(made["vocals"] + made["instruments"] - mix).max() < 1e-5
    for true, joined, one in ((instruments, made["instruments"], whole), (vocals, made["vocals"], mix - whole)):
        assert si_sdr(true, joined) > 5
        assert abs(si_sdr(true, joined) - si_sdr(true, one)) < 0.2
