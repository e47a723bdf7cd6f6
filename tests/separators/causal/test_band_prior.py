"""The masks of `bands` as an input of the network."""

import numpy as np
from causal_networks import noise

from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.masks import find_masks, spread_weights
from stream_sep.separators.bands.separator import median_hops
from stream_sep.separators.bands.state import initial_bands_state, make_config
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS, PRIOR_CUES, PRIOR_LOGITS, BandPrior
from stream_sep.separators.causal.config import SIZES


def test_prior_is_the_masks_of_bands_and_its_cues():
    """Where a point is one bin: a softmax of the guesses is `bands` itself."""
    size = SIZES["instant"]
    meter = BandPrior(size)
    spectra = np.fft.rfft(noise(4096 * 40).reshape(2, 40, 4096)).astype(np.complex64).transpose(1, 0, 2)
    spectra = spectra[..., : size.bins].copy()
    memory, bands_state = meter.initial_state(), initial_bands_state(size.bins, median_hops(size.window, size.hop))
    hints = np.zeros((40, PRIOR_CHANNELS, meter.points), np.float32)
    meter.compute(spectra, memory, hints, meter.workspace())
    layout, weights = make_config(44100, size.window, size.hop), spread_weights(44100, size.window)
    cues, masks = meter.workspace()
    for mid, side in spectra:
        measure_cues(mid, side, layout, bands_state, cues)
    find_masks(cues, weights, masks)
    likely = np.exp(hints[-1, :PRIOR_LOGITS].reshape(2, 3, -1)[..., :120])
    assert np.abs(likely[0] / (1 + likely[0].sum(axis=0)) - masks[0, :, :120]).max() < 1e-4
    place = 2 * bands_state.powers[2] / (bands_state.powers[0] + bands_state.powers[1])
    side = masks[1] + place**2 * (masks[0] - masks[1])
    assert np.abs(likely[1] / (1 + likely[1].sum(axis=0)) - side[:, :120]).max() < 1e-4
    wide = plan_band_layout(size).mask_bin_of == 200
    assert wide.sum() == 2
    assert (
        np.abs(
            hints[-1, PRIOR_LOGITS:, 200] - cues[[CUES.index(name) for name in PRIOR_CUES]][:, wide].mean(axis=1)
        ).max()
        < 1e-6
    )
    share = np.exp(hints[-1, :3, 200])
    expected = (masks[0, :, wide].T * bands_state.powers[0, wide]).sum(axis=1) / bands_state.powers[0, wide].sum()
    assert np.abs(share / (1 + share.sum()) - expected).max() < 1e-4


def test_prior_hop_by_hop_equals_many_hops_at_once():
    meter = BandPrior(SIZES["tiny"])
    spectra = np.fft.rfft(noise(256 * 30).reshape(2, 30, 256)).astype(np.complex64).transpose(1, 0, 2).copy()
    whole, parts = (np.zeros((30, PRIOR_CHANNELS, meter.points), np.float32) for _ in range(2))
    meter.compute(spectra, meter.initial_state(), whole, meter.workspace())
    memory = meter.initial_state()
    for hop in range(30):
        meter.compute(spectra[hop : hop + 1], memory, parts[hop : hop + 1], meter.workspace())
    assert np.array_equal(whole, parts)
