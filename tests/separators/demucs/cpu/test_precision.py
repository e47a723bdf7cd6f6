import platform
import subprocess
import sys

import numpy as np
import pytest
from requirements import require_package

from stream_sep.errors import ConfigError
from stream_sep.separators.demucs.cpu import precision

require_package("demucs", "demucs")

import torch
from demucs.htdemucs import HTDemucs

from stream_sep.files.demucs_pass import DemucsSongModel
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_models import load_song_model
from stream_sep.files.song_statistics import measure_song
from stream_sep.separators.demucs.cpu.network import accelerate_for_cpu, without_training_segment
from stream_sep.separators.demucs.cpu.precision import CHECK_INTERVAL, CheckedBf16, layers_in_float32, worst_null_db
from stream_sep.separators.demucs.networks import RANDOM, SOURCES, Part
from stream_sep.separators.demucs.window_runner import InferenceRunner

torch.set_num_threads(1)
RATE = 44100


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    made = HTDemucs(SOURCES, **{**RANDOM["tiny"], "segment": 1, "t_heads": 4}).eval()
    with torch.no_grad():
        for name, weights in made.named_parameters():
            if name.endswith("scale"):  # or blocks that are nearly zero at first would hide their errors
                weights.fill_(0.5)
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: True)


def window(seed=0, level=1.0, frames=RATE):
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((2, frames))).astype(np.float32)


def run(way, sound):
    with torch.inference_mode():
        return way(torch.from_numpy(sound)[None])[0].float().numpy()


def null_of(got, expected):
    return 20 * np.log10(np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)) + 1e-12)


def test_a_network_in_bfloat16_makes_nearly_the_same_stems(network):
    exact = run(network, window())
    assert -90 < null_of(run(accelerate_for_cpu(network, layers_in_float32(network)[0]), window()), exact) < -40


def test_more_layers_in_float32_come_nearer(network):
    exact = run(network, window())
    errors = [
        null_of(run(accelerate_for_cpu(network, full), window()), exact) for full in [(), *layers_in_float32(network)]
    ]
    assert errors == sorted(errors, reverse=True)


def test_all_layers_in_float32_make_the_same_stems(network):
    assert null_of(run(accelerate_for_cpu(network, ("",)), window()), run(network, window())) < -110


def test_a_twin_leaves_the_network_as_it_was_and_shares_its_weights(network):
    before = run(network, window())
    twin = without_training_segment(accelerate_for_cpu(network, ()))
    run(twin, window())
    assert network.use_train_segment
    np.testing.assert_array_equal(run(network, window()), before)
    held = {weights.data_ptr() for weights in network.parameters()}
    assert {weights.data_ptr() for weights in twin.parameters()} == held


def test_the_fastest_choice_is_kept_while_it_holds(network, monkeypatch):
    monkeypatch.setattr(precision, "worst_null_db", lambda *_: -60.0)  # processors differ: one with AMX makes -43
    tried = CheckedBf16(network)
    fastest = accelerate_for_cpu(network, layers_in_float32(network)[0])
    for seed in range(2):
        np.testing.assert_array_equal(run(tried, window(seed)), run(fastest, window(seed)))


@pytest.mark.parametrize("error", [-20.0, float("nan")])
def test_what_does_not_null_is_done_in_float32(network, monkeypatch, error):
    monkeypatch.setattr(precision, "worst_null_db", lambda *_: error)
    assert null_of(run(CheckedBf16(network), window()), run(network, window())) < -110


def test_one_window_in_so_many_is_tried_and_what_failed_is_not_taken_again(network, monkeypatch):
    errors, tries = iter([-60.0, -50.0, -60.0, -60.0]), []
    monkeypatch.setattr(precision, "worst_null_db", lambda *_: tries.append(tried._windows) or next(errors))
    tried = CheckedBf16(network)
    for _ in range(2 * CHECK_INTERVAL + 1):
        run(tried, window(frames=RATE // 4))
    assert tries == [0, CHECK_INTERVAL, CHECK_INTERVAL, 2 * CHECK_INTERVAL]
    slower = accelerate_for_cpu(network, layers_in_float32(network)[1])
    np.testing.assert_array_equal(run(tried, window()), run(slower, window()))


def test_a_try_is_on_sound_not_on_silence(network, monkeypatch):
    tries = []
    monkeypatch.setattr(precision, "worst_null_db", lambda *made: tries.append(made) or -60.0)
    tried, faint = CheckedBf16(network), window(level=1e-5)
    np.testing.assert_array_equal(run(tried, faint), run(network, faint))
    assert not tries
    run(tried, window())
    assert len(tries) == 1


def test_a_try_is_on_the_loudest_second(network, monkeypatch):
    inputs = []
    monkeypatch.setattr(
        precision, "without_training_segment", lambda _: lambda mix: inputs.append(mix) or mix[:, None]
    )
    monkeypatch.setattr(precision, "_TRIAL_SECONDS", 0.25)
    sound = window(level=0.01)
    sound[:, 22000:33000] *= 100
    run(CheckedBf16(network), sound)
    assert inputs[0].shape[-1] == RATE // 4
    assert inputs[0].std() > 0.9


def test_where_bfloat16_is_no_faster_all_is_done_in_float32(network, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: False)
    tried = CheckedBf16(network)
    monkeypatch.setattr(precision, "without_training_segment", lambda _: pytest.fail("there is nothing to try"))
    assert null_of(run(tried, window()), run(network, window())) < -110


def test_findings_are_kept_from_song_to_song(network, monkeypatch):
    tries = []
    monkeypatch.setattr(precision, "worst_null_db", lambda *made: tries.append(made) or -60.0)
    song = [window(frames=2 * RATE, level=0.1)]
    maker = DemucsSongModel([Part(network, (1.0,) * 4)], None, SeparationSettings(shifts=0), "cpu")
    for _ in range(3):
        list(maker.separate(iter(song), RATE, measure_song(song)))
    assert len(tries) == 1


def test_auto_keeps_its_promise_over_a_song(network):
    song = [window(frames=int(2.5 * RATE), level=0.1)]

    def made(kind):
        maker = DemucsSongModel(
            [Part(network, (1.0,) * 4)], None, SeparationSettings(shifts=0, precision=kind), "cpu"
        )
        return np.concatenate([stems for _, stems in maker.separate(iter(song), RATE, measure_song(song))], axis=2)

    exact, auto, rough = made("float32"), made("auto"), made("bfloat16")
    assert null_of(auto, exact) < -50
    assert -90 < null_of(rough, exact) < -35


def test_other_networks_are_cast_by_torch():
    plain = torch.nn.Conv1d(2, 8, 3, padding=1)
    made = InferenceRunner("cpu", "bfloat16").prepare(plain, window())()
    exact = InferenceRunner("cpu", "auto").prepare(plain, window())()
    np.testing.assert_array_equal(exact, run(plain, window()))
    assert -70 < null_of(made, exact) < -40


def test_the_null_is_that_of_the_worst_stem_but_counts_no_stem_as_silent():
    exact = np.ones((2, 2, 100), np.float32)
    got = exact.copy()
    got[1] *= 1.01
    assert worst_null_db(got, exact) == pytest.approx(-40, abs=0.1)
    exact[1], got[1] = 1e-6, 1e-3
    assert worst_null_db(got, exact) == pytest.approx(-30, abs=0.1)
    assert worst_null_db(np.full_like(exact, np.nan), exact) == float("inf")


def test_the_requested_device_and_threads_are_used():
    with pytest.raises(ConfigError, match="no device 'quantum'"):
        load_song_model(SeparationSettings(model="tiny", device="quantum"))
    with pytest.raises(ConfigError, match="at least 1 thread"):
        load_song_model(SeparationSettings(model="tiny", threads=-1))


def test_memory_that_a_window_frees_is_there_for_the_next():
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("malloc is tuned for the GNU C library only")
    count = """
import resource, numpy as np
from stream_sep.files import song_models
song_models._prepare_process()
for turn in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(16_000_000, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True).stdout
    assert int(faults) < 1000  # 64 MB anew would be 15,625 pages
