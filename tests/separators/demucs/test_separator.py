import os
import subprocess
import sys
import urllib.error

import numpy as np
import pytest
from requirements import require_package
from streaming import stream

import stream_sep.separators.demucs.separator
from stream_sep.audio.latency import HEADROOM
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.protocols import STEMS
from stream_sep.separators import load_separator
from stream_sep.separators.demucs.cpu.network import accelerate_for_cpu
from stream_sep.separators.demucs.cpu.precision import layers_in_float32
from stream_sep.separators.demucs.networks import Part, load_network
from stream_sep.separators.demucs.separator import DemucsWindow
from stream_sep.separators.windowed import MARGIN, WindowedSeparator

require_package("demucs", "demucs")

import demucs.apply
import demucs.pretrained
import torch
from demucs.apply import apply_model

torch.set_num_threads(1)  # on a busy machine, threads that wait for each other take ten times as long
RATE = 44100
SPEED = 0.32  # seconds of computing for a second of window, in a slow moment
FAST = 0.01  # the same of a machine that no window is too long for
SOURCES = ["drums", "bass", "other", "vocals"]
SMALL = {"model": "tiny", "context_ms": 100, "hop_ms": 50, "lookahead_ms": 30, "fade_ms": 10, "threads": 1}


def music(frames, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / RATE
    tones = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate((55, 220, 441.7, 1200)))
    return (0.1 * tones + 0.05 * rng.standard_normal((2, frames))).astype(np.float32)


def null_db(got, expected):
    return 20 * np.log10(np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)) + 1e-12)


def pretend_speed(monkeypatch, seconds_per_second):
    """Make every machine take so long for a second of window."""
    monkeypatch.setattr(
        stream_sep.separators.demucs.separator,
        "_seconds_per_window",
        lambda model, window: seconds_per_second * window / model.sample_rate,
    )


def tiny_model():
    return load_network("tiny")[0].network


def tiny_window(stems=None):
    return DemucsWindow(load_network("tiny"), stems=stems, device="cpu", precision="float32")


def applied(mix, **options):
    """What Demucs itself makes of a whole file, with `other` as what the rest leaves, in the order of STEMS."""
    network = tiny_model()
    network.use_train_segment = True  # as Demucs runs it
    out = apply_model(network, torch.from_numpy(mix)[None], shifts=0, **options)[0].numpy()
    vocals, drums, bass = out[3], out[0], out[1]
    return np.stack([vocals, drums, bass, mix - vocals - drums - bass])


def test_a_window_as_long_as_the_training_equals_apply_model_on_the_file():
    training = 2 * RATE
    mix = music(training)
    separator = WindowedSeparator(tiny_window(), context=0, hop=training, lookahead=0, fade=0)
    assert null_db(stream(separator, mix), applied(mix, split=False)) < -90


@pytest.mark.parametrize("overlap", [0.25, 0.1])
def test_windows_as_apply_model_cuts_them_give_what_apply_model_gives(overlap):
    training = 2 * RATE
    hop = int((1 - overlap) * training)
    fade = training - hop
    mix = music(4 * hop)
    out = stream(WindowedSeparator(tiny_window(), context=0, hop=hop, lookahead=0, fade=fade), mix)
    started_earlier = np.pad(mix, ((0, 0), (fade, 0)))  # our first window ends with the first hop
    expected = applied(started_earlier, split=True, overlap=overlap)
    whole = slice(fade, 4 * hop)
    assert null_db(out[..., whole], expected[..., whole]) < -90


def test_short_windows_equal_apply_model_on_the_same_windows():
    separator = load_separator("demucs", RATE, **SMALL | {"fade_ms": 0})
    hop, latency = separator.hop, separator.latency
    mix = music(20 * hop)
    out = stream(separator, mix)
    network, length = tiny_model(), separator._window.shape[1]
    for k in (10, 19):
        window = mix[:, (k + 1) * hop - length : (k + 1) * hop]
        got = apply_model(network, torch.from_numpy(window.copy())[None], shifts=0, split=False)[0].numpy()
        core = slice(length - latency - hop, length - latency)
        assert null_db(out[0, :, k * hop : (k + 1) * hop], got[3][:, core]) < -90


def test_the_level_hardly_changes_the_shape_so_no_normalisation_is_put_around():
    window, mix = tiny_window(), music(RATE)
    assert null_db(window(mix * np.float32(0.1)) * 10, window(mix)) < -60


def test_the_default_sizes_load_and_keep_the_promised_latency(monkeypatch):
    pretend_speed(monkeypatch, FAST)
    separator = load_separator("demucs", model="tiny")
    assert separator.stems == STEMS
    assert separator.latency == round(0.11 * RATE)
    assert separator._window.shape[1] % 1024 == 0


def test_selected_stems_are_in_the_usual_order_with_other_as_the_rest():
    mix = music(RATE)
    all_stems = stream(load_separator("demucs", RATE, **SMALL), mix)
    some = load_separator("demucs", RATE, **SMALL, stems=["drums", "vocals"])
    assert some.stems == ("vocals", "drums", "other")
    out = stream(some, mix)
    assert np.array_equal(out[:2], all_stems[:2])
    assert np.abs(out[2] - all_stems[2:].sum(axis=0)).max() < 1e-6


@pytest.mark.parametrize("rate", [48000, 96000])
def test_another_rate_is_resampled_with_one_window_a_hop(rate):
    separator = load_separator("demucs", rate, **SMALL)
    mix = music(rate // separator.hop * separator.hop)
    out = stream(separator, mix)
    expected = np.pad(mix, ((0, 0), (separator.latency, 0)))[:, : out.shape[2]]
    assert separator.sample_rate == rate
    assert separator.hop * RATE % rate == 0
    assert separator.latency / rate < 0.04 + 0.05
    assert np.abs(out.sum(axis=0) - expected).max() < 2e-6


@pytest.mark.parametrize(("budget_ms", "share"), [(1200, 1.0), (900, 0.75), (700, 0.5)])
def test_a_budget_takes_the_longest_window_that_is_fast_enough(monkeypatch, budget_ms, share):
    pretend_speed(monkeypatch, FAST)
    full = load_separator("demucs", model="tiny")._window.shape[1]
    pretend_speed(monkeypatch, SPEED / HEADROOM)
    separator = load_separator("demucs", model="tiny", budget_ms=budget_ms)
    window = separator._window.shape[1]
    assert window == int(share * full) // 1024 * 1024
    assert (separator.hop + separator.latency + SPEED * window) / RATE <= budget_ms / 1000
    assert separator.latency >= 0.109 * RATE
    assert SPEED * window <= MARGIN * separator.hop


def test_a_budget_that_no_window_meets_names_the_smallest(monkeypatch):
    pretend_speed(monkeypatch, SPEED / HEADROOM)
    with pytest.raises(ConfigError, match=r"300 ms of latency cannot be met here.* smallest budget is 4"):
        load_separator("demucs", model="tiny", budget_ms=300)


def test_a_machine_that_cannot_keep_up_gets_another_window_unless_the_hop_was_set(monkeypatch):
    pretend_speed(monkeypatch, FAST)
    full = load_separator("demucs", model="tiny")
    pretend_speed(monkeypatch, 0.45)
    separator = load_separator("demucs", model="tiny")
    assert HEADROOM * 0.45 * separator._window.shape[1] <= MARGIN * separator.hop
    assert separator.hop + separator.latency <= 2 * full.hop + full.latency
    assert load_separator("demucs", model="tiny", hop_ms=600).hop == full.hop


def test_threads_that_wait_do_not_spin_unless_configured(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    load_separator("demucs", RATE, **SMALL)
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    load_separator("demucs", RATE, **SMALL)
    assert os.environ["OMP_WAIT_POLICY"] == "active"


class Scaled:
    """A network that gives every source the mix times its own number, and counts."""

    samplerate, audio_channels, segment, sources = RATE, 2, 10, SOURCES

    def __init__(self, number):
        self.number, self.calls = number, 0

    def to(self, _device):
        return self

    def __call__(self, mix):
        self.calls += 1
        return mix[:, None].expand(-1, 4, -1, -1) * self.number


def bag(weights):
    return [Part(Scaled(k + 1), tuple(row)) for k, row in enumerate(weights)]


@pytest.mark.parametrize(("stems", "networks"), [(None, 3), (["vocals"], 1), (["bass", "drums"], 2)])
def test_only_the_networks_that_count_are_run(stems, networks):
    window = DemucsWindow(bag(np.eye(4)), stems=stems, device="cpu", precision="float32")
    assert window.networks == networks
    mix = music(5000)
    rows = dict(zip(window.stems, window(mix), strict=True))
    for number, name in enumerate(SOURCES, start=1):
        if name in rows and name != "other":
            assert np.allclose(rows[name], number * mix)


def test_a_bag_is_the_weighted_mean_of_its_networks():
    window = DemucsWindow(bag([[0.25] * 4, [0.75] * 4]), stems=["vocals"], device="cpu", precision="float32")
    mix = music(5000)
    assert np.allclose(window(mix)[0], 1.75 * mix, atol=1e-6)


def test_weights_of_a_bag_are_normalised_by_source(monkeypatch):
    made = demucs.apply.BagOfModels([tiny_model(), tiny_model()], [[1, 0, 1, 3], [1, 1, 0, 1]])
    monkeypatch.setattr(demucs.pretrained, "get_model", lambda _name, _repo: made)
    assert [part.weights for part in load_network("htdemucs_ft")] == [(0.5, 0.0, 1.0, 0.75), (0.5, 1.0, 0.0, 0.25)]


def test_the_stems_of_a_six_stem_model_keep_the_usual_four_first():
    class Six(Scaled):
        sources = ("drums", "bass", "other", "vocals", "guitar", "piano")

    window = DemucsWindow([Part(Six(1), (1.0,) * 6)], stems=None, device="cpu", precision="float32")
    assert window.stems == (*STEMS, "guitar", "piano")


def test_bfloat16_is_chosen_layer_by_layer_as_separate_does():
    exact, mix = tiny_window()(music(RATE)), music(RATE)
    rough = DemucsWindow(load_network("tiny"), stems=None, device="cpu", precision="bfloat16")(mix)
    network = tiny_model()
    by_layer = accelerate_for_cpu(network, layers_in_float32(network)[0])
    with torch.inference_mode():
        vocals, drums, bass = by_layer(torch.from_numpy(mix)[None])[0, [3, 0, 1]].numpy()
    assert -90 < null_db(rough, exact) < -40
    np.testing.assert_array_equal(rough[:3], [vocals, drums, bass])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stems": ["flute"]}, "no stem 'flute'"),
        ({"stems": ["other"]}, "besides 'other'"),
        ({"device": "abacus"}, "no device 'abacus'"),
        ({"threads": 0}, "at least 1 thread"),
        ({"precision": "int1"}, "neither 'float32' nor"),
        ({"context_ms": 9000}, "this model takes"),
        ({"hop_ms": 1, "context_ms": 0, "lookahead_ms": 0, "fade_ms": 0}, "this model takes"),
        ({"fade_ms": 70}, "does not fit in a hop"),
        ({"hop_ms": 0}, "at least 1 frame"),
    ],
)
def test_values_that_make_no_sense_are_refused_with_a_message(options, message):
    with pytest.raises(ConfigError, match=message):
        load_separator("demucs", RATE, **SMALL | options)


def test_an_unknown_name_is_refused_at_once_with_names_near_it():
    with pytest.raises(SeparatorError, match=r"'htdemux'; did you mean .*htdemucs"):
        load_separator("demucs", RATE, model="htdemux")


@pytest.mark.parametrize("error", [urllib.error.URLError("no route"), FileNotFoundError("gone"), RuntimeError("bad")])
def test_no_network_names_the_files_and_the_way_out(monkeypatch, error):
    def refuse(_name, _repo):
        raise error

    monkeypatch.setattr(demucs.pretrained, "get_model", refuse)
    with pytest.raises(SeparatorError, match=r"--repo DIR") as refused:
        load_separator("demucs", RATE, model="htdemucs")
    assert "htdemucs.yaml and 955717e8-8726e21a.th" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_package_of_a_quantised_model_does_not_end_the_program(monkeypatch):
    monkeypatch.setattr(demucs.pretrained, "get_model", lambda _name, _repo: sys.exit(1))
    with pytest.raises(SeparatorError, match="pip install diffq"):
        load_separator("demucs", RATE, model="mdx_q")


def test_folder_without_the_weights_is_refused_with_what_to_put_there(tmp_path):
    with pytest.raises(SeparatorError, match=r"htdemucs.yaml and 955717e8-8726e21a.th"):
        load_separator("demucs", RATE, model="htdemucs", repo=tmp_path)
    (tmp_path / "htdemucs.yaml").write_text("models: ['955717e8']\n")
    with pytest.raises(SeparatorError, match="955717e8"):
        load_separator("demucs", RATE, model="htdemucs", repo=str(tmp_path))
    with pytest.raises(SeparatorError, match="there is no folder"):
        load_separator("demucs", RATE, model="htdemucs", repo=tmp_path / "nowhere")


def save(network, path):
    args, kwargs = network._init_args_kwargs
    torch.save({"klass": type(network), "args": args, "kwargs": kwargs, "state": network.state_dict()}, path)


def test_weights_in_a_folder_are_loaded_and_checked(tmp_path):
    save(tiny_model(), tmp_path / "abcd1234.th")
    (tmp_path / "mine.yaml").write_text("models: ['abcd1234', 'abcd1234']\n")
    mix = music(RATE)
    expected = stream(load_separator("demucs", RATE, **SMALL), mix)
    for name in ("abcd1234", "mine"):
        out = stream(load_separator("demucs", RATE, **SMALL | {"model": name}, repo=tmp_path), mix)
        assert np.abs(out - expected).max() < 1e-6
    (tmp_path / "abcd1234.th").rename(tmp_path / "abcd1234-00000000.th")
    with pytest.raises(SeparatorError, match="Invalid checksum"):
        load_separator("demucs", RATE, **SMALL | {"model": "abcd1234"}, repo=tmp_path)


def test_without_demucs_the_error_names_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "demucs"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "demucs", None)
    with pytest.raises(SeparatorError, match=r"-m pip install .*\[demucs\]"):
        load_separator("demucs", RATE, model="tiny")


def test_nothing_heavy_is_imported_before_a_model_is_requested():
    code = (
        "import sys, stream_sep.separators.demucs.separator, stream_sep.separators.resampled; "
        "print({'torch', 'demucs'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_random_htdemucs_is_as_big_as_the_trained_one():
    network = load_network("random-htdemucs")[0].network
    assert sum(weights.numel() for weights in network.parameters()) == 41_984_456
    assert int(network.segment * network.samplerate) == 343_980
