"""The causal network, its files and its runtimes; the laws of separators run over it in tests/laws."""

import copy
import dataclasses
import hashlib
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import soxr
from requirements import require_package

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators import NEEDS_WEIGHTS, REGISTRY, canonical_name, load_separator
from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.masks import find_masks, spread_weights
from stream_sep.separators.bands.separator import median_hops
from stream_sep.separators.bands.state import initial_bands_state, make_config
from stream_sep.separators.causal import export
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS, PRIOR_CUES, PRIOR_LOGITS, BandPrior
from stream_sep.separators.causal.bundled import bundled, bundled_weights, model_card
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.config import SIZES, NetworkConfig, config_from
from stream_sep.separators.causal.features import FEATURES, FeatureExtractor
from stream_sep.separators.causal.harmonics import HARMONICS
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.causal.runtimes import TorchRuntime
from stream_sep.separators.causal.separator import MAX_LATENCY_MS, CausalSeparator, load_causal
from stream_sep.separators.causal.staggered_inference import StaggeredInference
from stream_sep.separators.causal.weights import WeightStats, read_metadata
from stream_sep.separators.causal.windows import lookback_windows


@pytest.fixture
def weights(tiny_weights):
    return tiny_weights()


def noise(frames, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)


def stream(separator, mix):
    hops = range(0, mix.shape[1], separator.hop)
    return np.concatenate([separator.process(mix[:, at : at + separator.hop]).copy() for at in hops], axis=2)


def no_hints(runtime):
    return np.zeros((1, PRIOR_CHANNELS, plan_band_layout(runtime.size).points), np.float32)


def spectrum(runtime, seed=0):
    return noise(2 * runtime.size.bins, seed)[None].view(np.complex64)


@pytest.mark.parametrize("name", MAX_LATENCY_MS)
def test_sizes_keep_what_their_names_promise(name):
    assert 1000 * SIZES[name].algorithmic_latency / 44100 <= MAX_LATENCY_MS[name]


def test_live_is_at_most_23_milliseconds_and_instant_at_most_6():
    assert (MAX_LATENCY_MS["live"], MAX_LATENCY_MS["instant"]) == (23, 6)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_windows_reconstruct_perfectly(size):
    analysis, synthesis = lookback_windows(size.window, size.hop, size.fade)
    product = (analysis[-(size.hop + size.fade) :] * synthesis).astype(np.float64)
    total = product[: size.hop].copy()
    total[: size.fade] += product[size.hop :]
    assert np.abs(total - 1).max() < 1e-6


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_bin_has_a_point_and_points_fill_bands(size):
    plan = plan_band_layout(size)
    steps = np.diff(plan.mask_bin_of)
    assert len(plan.mask_bin_of) == size.bins
    assert set(steps) <= {0, 1}
    assert plan.points == plan.bands * size.points
    assert plan.padded_bins >= size.bins


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": "huge"}, "unknown network size 'huge'"),
        ({"widht": 3}, "unknown network setting 'widht'"),
        ({"width": 1.5}, "whole number"),
        ({"fade": 600}, "does not fit"),
        ({"window": 1000}, "power of two"),
        ({"blocks": 0}, "positive"),
    ],
)
def test_a_size_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        config_from(values)


@pytest.fixture(params=["tiny", "tiny-odd"])
def runtimes(request, weights):
    """A network as it is computed exactly, and in compiled code with rounded weights."""
    path = weights / f"{request.param}.safetensors"
    return TorchRuntime(path), CompiledRuntime(path)


def test_compiled_blocks_compute_what_the_network_does(runtimes):
    exact = runtimes[0]
    rng, bands = np.random.default_rng(0), plan_band_layout(exact.size).bands
    for number in range(1, exact.size.blocks + 1):
        x = 3 * rng.standard_normal((1, 1, bands, exact.size.width)).astype(np.float32)
        memory = rng.uniform(-1, 1, (1, bands, exact.size.width)).astype(np.float32)
        (messages, after), (expected, expected_after) = (each.run_stage(number, x, memory) for each in runtimes)
        assert (messages.shape, after.shape) == (expected.shape, expected_after.shape)
        assert np.abs(after - expected_after).max() < 1e-5
        if number < exact.size.blocks:
            assert np.abs(messages - expected).max() < 1e-4
        else:  # the decoder's weights are rounded
            assert 0 < np.abs(messages - expected).max() < 0.01 * np.abs(expected).max()


def test_what_bands_see_is_as_far_from_exact_as_rounding_takes_it(runtimes):
    exact, compiled = runtimes
    plan, rng = plan_band_layout(exact.size), np.random.default_rng(0)
    given = rng.standard_normal((1, 1, FEATURES + PRIOR_CHANNELS, plan.points)).astype(np.float32)
    seen, expected = (each.run_stage(0, given[:, :, :FEATURES], given[:, :, FEATURES:])[0] for each in runtimes[::-1])
    of_bands = given[0, 0].reshape(-1, plan.bands, exact.size.points).transpose(1, 0, 2).reshape(plan.bands, -1)
    most = (np.abs(of_bands) * compiled._encoder.scales[:, : of_bands.shape[1]]).sum(axis=1) / 2
    assert seen.shape == expected.shape
    assert (np.abs(seen - expected)[0, 0].max(axis=1) < most + 1e-5).all()
    assert 0 < np.square(seen - expected).sum() < 1e-4 * np.square(expected).sum()


@pytest.mark.parametrize("name", bundled())
def test_weights_that_ship_play_as_pytorch_computes_them(name):
    require_package("torch", "train")
    mix = load_demo_song().mix[:, 44100 * 8 :][:, : 512 * 100]
    runtimes = TorchRuntime(bundled_weights(name)), CompiledRuntime(bundled_weights(name))
    exact, played = (stream(CausalSeparator(runtime), mix) for runtime in runtimes)
    assert np.abs(exact).max() > 0.1
    assert np.abs(exact - played).max() < 1e-4


def test_rounding_is_inaudible(tmp_path):
    """Each stem of a song is 55 dB louder than what rounding does to it."""
    require_package("torch", "train")
    path = save_random(SIZES["live"], tmp_path / "w.safetensors")
    mix = load_demo_song().mix[:, 44100 * 8 :][:, : 512 * 100]
    exact, played = (stream(CausalSeparator(runtime(path)), mix) for runtime in (TorchRuntime, CompiledRuntime))
    for stem, other in zip(exact, played, strict=True):
        assert 10 * np.log10(np.square(stem).sum() / np.square(other - stem).sum()) > 55


def test_a_part_changes_nothing_it_was_given(weights):
    for kind in (CompiledRuntime, TorchRuntime):
        runtime = kind(weights / "tiny.safetensors")
        features = noise(FEATURES * plan_band_layout(runtime.size).points).reshape(2, 1, 1, FEATURES, -1)[0]
        first = (features, no_hints(runtime)[None])
        second = (runtime.run_stage(0, *first)[0].copy(), *runtime.initial_state()[1])
        for number, given in enumerate((first, second)):
            kept = copy.deepcopy(given)
            made = runtime.run_stage(number, *given)
            x = made[0].copy()
            for each in made:
                each[:] = 1.0
            assert all(np.array_equal(one, other) for one, other in zip(kept, given, strict=True))
            assert np.array_equal(x, runtime.run_stage(number, *given)[0])


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_network_gets_the_first_of_some_hops_and_returns_after_half(hops):
    runtime = Asked(dataclasses.replace(SIZES["tiny"], blocks=3), certain=None)
    asking, messages, most = StaggeredInference(runtime, hops), [], 0
    for hop in range(5 * hops):
        runtime.asked.clear()
        hints = no_hints(runtime) + np.float32(hop + 1)
        messages.append(int(asking.step(spectrum(runtime), hints).flat[0]))
        most = max(most, len(runtime.asked))
    half = -(-hops // 2)
    assert messages == [0] * (half - 1) + [at // hops * hops + 1 for at in range(5 * hops - half + 1)]
    assert most == min(-(-2 * 4 // hops), 4)


def test_a_network_of_fewer_parts_than_hops_rests_in_some():
    runtime = Asked(SIZES["tiny"])
    asking, asked = StaggeredInference(runtime, 8), []
    for _ in range(16):
        asking.step(spectrum(runtime), no_hints(runtime))
        asked.append(len(runtime.asked))
    assert np.bincount(np.diff(asked)).tolist() == [12, 3]


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny-int8.safetensors", "tiny-hybrid.safetensors"])
def test_an_onnx_export_is_one_step_to_other_programs(weights, tmp_path, name):
    onnxruntime = require_package("onnxruntime", "train")
    require_package("onnx", "train")
    assert export.export_onnx(weights / name, tmp_path / "x.onnx") < 1e-5
    step = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    described = step.get_modelmeta().custom_metadata_map
    assert {key: described[key] for key in ("kind", "size")} == {
        key: read_metadata(weights / name)[0][key] for key in ("kind", "size")
    }
    runtime = TorchRuntime(weights / name)
    asking, meter = StaggeredInference(runtime), FeatureExtractor(runtime.size)
    state = [each for of_stage in runtime.initial_state() for each in of_stage]
    names = [f"memory{number}" for number in range(1, len(state) + 1)]
    memory, features = meter.initial_state(), np.zeros((1, FEATURES, meter.points), np.float32)
    for hop in range(20):
        spectra = spectrum(runtime, hop)
        meter.compute(spectra, memory, features, meter.workspace())
        given = {"features": features[None], "hints": no_hints(runtime)[None], **dict(zip(names, state, strict=True))}
        messages, *state = step.run(("corrections", *(f"{name}_after" for name in names)), given)
        np.testing.assert_allclose(messages[0, 0], asking.step(spectra, no_hints(runtime)), atol=1e-5)


def test_a_song_at_once_is_the_same_as_hop_by_hop(weights):
    import torch  # noqa: PLC0415 - heavy

    network = TorchRuntime(weights / "tiny.safetensors")._network
    hops = 600  # more than are computed at once
    random = torch.Generator().manual_seed(0)
    features = torch.randn(2, hops, FEATURES, network.plan.points, generator=random)
    hints = torch.randn(2, hops, PRIOR_CHANNELS, network.plan.points, generator=random)
    whole, after = network(features, hints, network.initial_state(2))
    state, parts = network.initial_state(2), []
    for hop in range(hops):
        masks, state = network(features[:, hop : hop + 1], hints[:, hop : hop + 1], state)
        parts.append(masks)
    assert (torch.cat(parts, dim=1) - whole).abs().max() < 1e-5
    assert max((a - b).abs().max() / b.abs().max() for a, b in zip(state, after, strict=True)) < 1e-5


def look_slowly(spectra, size):
    """Features as their formulas say, from means over padded points and a sum over the whole past."""
    plan = plan_band_layout(size)
    edges = np.cumsum([0, *(bins for bins, points in plan.zones for _ in range(points))])

    def pool(values):
        padded = np.pad(values, (0, plan.padded_bins - size.bins))
        return np.array([padded[a:b].mean() for a, b in itertools.pairwise(edges)])

    powers = np.square(np.abs(spectra)).sum(axis=1).mean(axis=1)
    turn = np.exp(-2j * np.pi * np.arange(size.bins) * size.hop / size.window)
    found, before = [], np.zeros(size.bins)
    for hop, (mid, side) in enumerate(spectra.astype(complex)):
        weights = np.exp(-size.hop / 44100 * np.arange(hop, -1, -1))
        loudness = (weights * powers[: hop + 1]).sum() / weights.sum()
        middle, sides, past = (pool(np.abs(run_stage) ** 2) for run_stage in (mid, side, before))
        below = np.concatenate([[0], mid[:-1]])
        across = 2 * pool(mid * side.conj()) / (middle + sides + 1e-20)
        moved = 2 * pool(mid * before.conj() * turn) / (middle + past + 1e-20)
        stepped = pool(mid * below.conj()) / (middle + 1e-20)
        parts = [run_stage for ratio in (across, moved, stepped) for run_stage in (ratio.real, ratio.imag)]
        logs = [np.log10(run_stage / loudness + 1e-8) / 2 + 1 for run_stage in (middle, sides)]
        found.append([*logs, *parts[:4], *np.clip(parts[4:], -1.5, 1.5)])
        before = mid
    return np.array(found)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_features_equal_their_formulas(size):
    rng, hops = np.random.default_rng(0), 6
    spectra = rng.standard_normal((hops, 2, 2 * size.bins)).astype(np.float32).view(np.complex64)
    spectra *= np.float32(10) ** rng.uniform(-3, 1, (hops, 2, 1)).astype(np.float32)
    meter = FeatureExtractor(size)
    found = np.zeros((hops, FEATURES, meter.points), np.float32)
    meter.compute(spectra, meter.initial_state(), found, meter.workspace())
    np.testing.assert_allclose(found[:, :-HARMONICS], look_slowly(spectra, size), atol=2e-5)


def test_point_gets_the_maximum_of_its_bins():
    size = SIZES["live"]
    meter, plan = FeatureExtractor(size), plan_band_layout(size)
    spectra = np.fft.rfft(noise(size.window)[None]).astype(np.complex64)
    found, scratch = np.zeros((1, FEATURES, meter.points), np.float32), meter.workspace()
    meter.compute(spectra, meter.initial_state(), found, scratch)
    best = [scratch.salience[:, first:end].max(axis=1, initial=0.0) for first, end in plan.spans]
    np.testing.assert_allclose(found[0, -HARMONICS:], np.transpose(best), rtol=1e-6)
    assert found[0, -HARMONICS:].max() > 0


def test_features_change_with_neither_level_nor_phase_and_are_finite_in_silence():
    size = SIZES["instant"]
    meter = FeatureExtractor(size)
    spectra = noise(2 * 2 * 20 * size.bins).reshape(-1)[: 20 * 4 * size.bins].view(np.complex64).reshape(20, 2, -1)
    found = np.zeros((3, 20, FEATURES, meter.points), np.float32)
    for changed, into in zip((spectra, spectra * np.complex64(3e-4j), 0 * spectra), found, strict=True):
        meter.compute(changed, meter.initial_state(), into, meter.workspace())
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    assert np.isfinite(found[2]).all()


def test_hints_are_the_masks_of_bands_and_its_cues():
    """Where a point is one bin: a softmax of the guesses is `bands` itself."""
    size = SIZES["instant"]
    meter = BandPrior(size)
    spectra = np.fft.rfft(noise(4096 * 40).reshape(2, 40, 4096)).astype(np.complex64).transpose(1, 0, 2)
    spectra = spectra[..., : size.bins].copy()
    memory, heard = meter.initial_state(), initial_bands_state(size.bins, median_hops(size.window, size.hop))
    hints = np.zeros((40, PRIOR_CHANNELS, meter.points), np.float32)
    meter.compute(spectra, memory, hints, meter.workspace())
    layout, weights = make_config(44100, size.window, size.hop), spread_weights(44100, size.window)
    cues, masks = meter.workspace()
    for mid, side in spectra:
        measure_cues(mid, side, layout, heard, cues)
    find_masks(cues, weights, masks)
    likely = np.exp(hints[-1, :PRIOR_LOGITS].reshape(2, 3, -1)[..., :120])
    assert np.abs(likely[0] / (1 + likely[0].sum(axis=0)) - masks[0, :, :120]).max() < 1e-4
    place = 2 * heard.powers[2] / (heard.powers[0] + heard.powers[1])
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
    expected = (masks[0, :, wide].T * heard.powers[0, wide]).sum(axis=1) / heard.powers[0, wide].sum()
    assert np.abs(share / (1 + share.sum()) - expected).max() < 1e-4


def test_hints_hop_by_hop_are_those_of_many_hops_at_once():
    meter = BandPrior(SIZES["tiny"])
    spectra = np.fft.rfft(noise(256 * 30).reshape(2, 30, 256)).astype(np.complex64).transpose(1, 0, 2).copy()
    whole, parts = (np.zeros((30, PRIOR_CHANNELS, meter.points), np.float32) for _ in range(2))
    meter.compute(spectra, meter.initial_state(), whole, meter.workspace())
    memory = meter.initial_state()
    for hop in range(30):
        meter.compute(spectra[hop : hop + 1], memory, parts[hop : hop + 1], meter.workspace())
    assert np.array_equal(whole, parts)


def test_network_with_zero_output_plays_bands():
    """As close as points are to bins, and windows of 22 milliseconds to those of 23."""
    mix = load_demo_song().mix[:, : 512 * 300]
    silent, bands = CausalSeparator(Asked(NetworkConfig())), load_separator("bands")
    end = mix.shape[1] - 1024
    played, heard = (stream(each, mix)[..., each.latency :][:3, :, :end] for each in (silent, bands))
    for made, own in zip(played, heard, strict=True):
        assert 10 * np.log10(np.square(own).sum() / np.square(made - own).sum()) > 12


@pytest.mark.parametrize("gain", [1e-3, 30.0])
def test_the_level_of_the_mix_does_not_matter(weights, gain):
    separator = load_causal("instant", weights=weights / "tiny.safetensors")
    expected = stream(separator, noise(6400)) * np.float32(gain)
    separator.reset()
    assert np.abs(stream(separator, noise(6400) * np.float32(gain)) - expected).max() < 1e-4 * gain


def test_mono_stays_mono(weights):
    mono = np.repeat(noise(6400)[:1], 2, axis=0)
    stems = stream(load_causal("instant", weights=weights / "tiny.safetensors"), mono)
    assert np.array_equal(stems[:, 0], stems[:, 1])


def test_one_side_alone_is_separated_and_adds_up(weights):
    left = noise(6400) * np.array([[1], [0]], np.float32)
    separator = load_causal("instant", weights=weights / "tiny.safetensors")
    total = stream(separator, left).sum(axis=0)
    assert np.abs(total[:, separator.latency :] - left[:, : -separator.latency]).max() < 1e-6


def test_numbers_that_are_not_finite_are_gone_with_their_hop(weights):
    separator = load_causal("instant", weights=weights / "tiny.safetensors")
    mix = noise(64 * 60)
    mix[0, 100], mix[1, 200] = np.nan, np.inf
    mix[0, 300] = 3e38
    assert np.isfinite(stream(separator, mix)).all()


def test_the_memory_stays_bounded_over_a_long_stream(weights):
    runtime = CompiledRuntime(weights / "tiny.safetensors")
    rng, asking = np.random.default_rng(0), StaggeredInference(runtime)
    for _ in range(3000):
        sound = rng.standard_normal((1, 2, 2 * runtime.size.bins)).astype(np.float32) * 10 ** rng.uniform(-3, 3)
        asking.step(sound.view(np.complex64), no_hints(runtime))
    assert np.abs(asking._state[1][0]).max() <= 1


def test_48_khz_needs_no_filter_and_96_khz_gets_one(weights):
    assert load_separator("instant", 48000, weights=weights / "tiny.safetensors").latency == SIZES["tiny"].fade
    resampled = load_separator("instant", 96000, weights=weights / "tiny.safetensors")
    assert (resampled.sample_rate, resampled.hop) == (96000, 2 * SIZES["tiny"].hop)


def test_model_without_weights_is_refused_with_the_training_command():
    for name in sorted(set(NEEDS_WEIGHTS) - {"checkpoint", "imported"}):  # which others train
        with pytest.raises(SeparatorError, match=r"stream-sep train [\w-]+'") as raised:
            load_separator(name)
        (preset,) = re.findall(r"stream-sep train ([\w-]+)'", str(raised.value))
        assert (Path(__file__).parents[3] / f"presets/training/{preset}.toml").is_file()


def test_weights_that_look_ahead_for_longer_than_the_name_promises_are_refused(weights):
    late = save_random(NetworkConfig(blocks=1, width=4, mixer=4, lookahead=2), weights.parent / "late.safetensors")
    with pytest.raises(ConfigError, match="load it as 'near'"):
        load_causal("instant", weights=late)


def save_random(size, file):
    import torch  # noqa: PLC0415 - heavy

    from stream_sep.separators.causal.network import CausalNetwork  # noqa: PLC0415 - heavy
    from stream_sep.separators.causal.weights import save_weights  # noqa: PLC0415 - heavy

    with torch.random.fork_rng(devices=[]):
        save_weights(CausalNetwork(size), file)
    return file


class Asked:
    """A runtime that tells which parts it was asked for, as certain of vocals as given, or as the first hint says."""

    def __init__(self, size, *, certain=0.0):
        self.size, self.weights, self.asked, self.certain = size, WeightStats(0, 0), [], certain

    def initial_state(self):
        return [(), *[(np.zeros(1, np.float32),)] * self.size.blocks]

    def run_stage(self, number, *given):
        self.asked.append(number)
        if number == 0:
            return (given[1],)
        x, memory = given
        if number < self.size.blocks:
            return given
        messages = np.zeros((1, 1, 2, OUTPUT_CHANNELS, plan_band_layout(self.size).points), np.float32)
        messages[:, :, :, 0] = x.flat[0] if self.certain is None else self.certain
        return messages, memory


def test_network_of_long_hops_has_less_latency_in_short_ones(weights):
    late = save_random(NetworkConfig(blocks=1, width=4, mixer=4), weights.parent / "live.safetensors")
    instant = load_causal("instant", weights=late)
    assert (instant.hop, instant.latency) == (128, 128)
    assert load_causal("live", weights=late).hop == 512
    mix = noise(128 * 100)
    assert np.abs(stream(instant, mix).sum(axis=0)[:, 128:] - mix[:, :-128]).max() < 1e-6


def test_in_short_hops_a_network_is_asked_as_often_as_it_was_trained_to_be():
    runtime = Asked(NetworkConfig())
    separator = CausalSeparator(runtime, hop=128)
    for _ in range(2):
        runtime.asked.clear()
        stream(separator, noise(128 * 9))
        assert runtime.asked == [0, 1, 2, 3, 4] * 2 + [0, 1, 2]
        separator.reset()


def test_network_output_holds_while_guesses_go_on():
    """A network that says nothing leaves the guesses of every short hop alone; what it is sure of outlasts them."""
    mix = noise(128 * 200)
    silent, bands = CausalSeparator(Asked(NetworkConfig()), hop=128), load_separator("bands", latency_ms=6)
    made, own = stream(silent, mix)[:3], stream(bands, mix)[:3]
    assert 10 * np.log10(np.square(own).sum() / np.square(made - own).sum()) > 10
    sure = stream(CausalSeparator(Asked(NetworkConfig(), certain=100.0), hop=128), mix)
    assert np.abs(sure[1:3, :, 128 * 8 :]).max() < 1e-6


def test_an_export_that_differs_leaves_nothing(weights, tmp_path, monkeypatch):
    require_package("onnxruntime", "train")
    require_package("onnx", "train")
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(SeparatorError, match="differs"):
        export.export_onnx(weights / "tiny.safetensors", tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_looking_ahead_decides_masks_later(weights):
    size = dataclasses.replace(SIZES["tiny"], lookahead=3)
    separator = load_causal("near", weights=weights / "tiny-ahead.safetensors")
    assert isinstance(separator, CausalSeparator)
    assert separator.latency == size.fade + 3 * size.hop


@pytest.mark.parametrize("name", bundled())
def test_weights_that_ship_are_whole_small_and_have_a_card(name):
    assert canonical_name(name) in REGISTRY
    separator = load_separator(name)
    assert separator.hop + separator.latency <= MAX_LATENCY_MS[name] * 44.1
    assert sum(bundled_weights(each).stat().st_size for each in bundled()) < 12e6
    card = model_card(name)
    for words in (
        "MUSDB18",
        "## Licence",
        "vocals",
        "## Limits",
        hashlib.sha256(bundled_weights(name).read_bytes()).hexdigest(),
    ):
        assert words in card


@pytest.mark.parametrize("size", [SIZES["live"], SIZES["instant"]])
def test_points_stand_at_the_same_frequencies_at_48_khz(size):
    here, there = plan_band_layout(size), plan_band_layout(size, 48000)
    assert (here.points, here.bands) == (there.points, there.bands)
    np.testing.assert_array_equal(
        here.spans[:, 1] - here.spans[:, 0], np.bincount(here.mask_bin_of, minlength=here.points)
    )
    heard = np.flatnonzero(here.spans[:, 1] > here.spans[:, 0])[:-1]
    middles = [(plan.spans[heard].sum(axis=1) - 1) / 2 * rate for plan, rate in ((here, 44100), (there, 48000))]
    assert np.abs(middles[0] - middles[1]).max() <= 0.5 * 48000 + 1
    assert (there.spans[heard, 1] > there.spans[heard, 0]).all()
    assert set(there.mask_bin_of) <= set(range(there.points))
    assert (np.diff(there.mask_bin_of) >= 0).all()


def gains_on_the_demo_song(rate):
    """Return by how many dB each stem is better than the mix; of a song that no training has heard."""
    song = load_demo_song()
    given = [song.mix, *song.stems.values()]
    if rate != song.sample_rate:
        given = [np.ascontiguousarray(soxr.resample(each.T, song.sample_rate, rate).T) for each in given]
    separator = load_separator("live", rate)
    late, frames = separator.latency, given[0].shape[1] // separator.hop * separator.hop
    made = stream(separator, given[0][:, :frames])[..., late:]
    mix, *stems = (each[:, : made.shape[2]] for each in given)
    assert list(song.stems) == list(separator.stems)
    return [
        10 * np.log10(np.square(mix - true).sum() / np.square(each - true).sum())
        for each, true in zip(made, stems, strict=True)
    ]


def test_weights_that_ship_take_the_demo_song_apart_at_both_rates():
    """As well at 48 kHz, but for 0.3 dB: the points of the network stand at the same frequencies there."""
    gains = gains_on_the_demo_song(44100)
    gains_at_48_khz = gains_on_the_demo_song(48000)
    lost = np.subtract(gains, gains_at_48_khz)
    assert min(gains) > 7
    assert min(gains_at_48_khz) > 7
    assert lost.mean() < 0.3
    assert lost.max() < 0.6
