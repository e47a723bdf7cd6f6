import random
import threading
import types
from fractions import Fraction

import numpy as np
import pytest
from requirements import require_package

from stream_sep.errors import ConfigError
from stream_sep.files.demucs_pass import DemucsSongModel
from stream_sep.files.segments import SegmentGrid
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_statistics import measure_song

require_package("demucs", "demucs")

import demucs.apply
import torch
from demucs.apply import BagOfModels, apply_model
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs

from stream_sep.separators.demucs.networks import RANDOM, SOURCES, Part

torch.set_num_threads(1)
RATE = 44100


def tiny():
    return HTDemucs(SOURCES, **{**RANDOM["tiny"], "segment": Fraction(1)})


NETWORKS = {
    "transformer": (lambda: [tiny()], [[1, 1, 1, 1]]),
    "bag": (lambda: [tiny(), tiny(), tiny()], [[1, 0, 0.5, 1], [0, 1, 0.5, 2], [0, 0, 0, 1]]),
    "hybrid": (lambda: [HDemucs(SOURCES, channels=4, segment=1)], [[1, 1, 1, 1]]),
    "waveform": (lambda: [Demucs(SOURCES, channels=4, segment=1, depth=3)], [[1, 1, 1, 1]]),
}


def music(frames, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal((2, frames)) + 0.02).astype(np.float32)


def build(name):
    make, weights = NETWORKS[name]
    torch.manual_seed(3)
    networks = [network.eval() for network in make()]
    totals = np.sum(weights, axis=0)
    parts = [Part(n, tuple(np.array(row) / totals)) for n, row in zip(networks, weights, strict=True)]
    return BagOfModels(networks, [list(map(float, row)) for row in weights]), parts


def applied(bag, song, monkeypatch, seed=0, **settings):
    """What Demucs' own `Separator` makes of a song; its networks draw random numbers too, the shifts here do not."""
    draw = random.Random(seed)
    monkeypatch.setattr(demucs.apply, "random", types.SimpleNamespace(randint=draw.randint))
    wave = torch.from_numpy(song)
    mono = wave.mean(0)
    mean, deviation = mono.mean(), mono.std() + 1e-8
    with torch.no_grad():
        return (apply_model(bag, ((wave - mean) / deviation)[None], **settings)[0] * deviation + mean).numpy()


def passed(parts, song, stems=None, block=10_000, **settings):
    maker = DemucsSongModel(parts, stems, SeparationSettings(precision="float32", **settings), "cpu")
    blocks = [song[:, at : at + block] for at in range(0, song.shape[1], block)]
    mixes, made = zip(*maker.separate(iter(blocks), RATE, measure_song(blocks)), strict=True)
    np.testing.assert_array_equal(np.concatenate(mixes, axis=1), song)
    return np.concatenate(made, axis=2)


def null_db(got, expected):
    assert got.shape == expected.shape
    return 20 * np.log10(np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)) + 1e-12)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("transformer", {"shifts": 0}),
        ("transformer", {"shifts": 2, "overlap": 0.6}),
        ("transformer", {"segment": 0.5}),
        ("transformer", {"shifts": 0, "overlap": 0.0}),
        ("bag", {"shifts": 1}),
        ("hybrid", {"shifts": 1}),
        ("waveform", {"shifts": 0}),
        ("waveform", {"segment": 0.5}),
    ],
    ids=str,
)
def test_stems_are_those_of_apply_model(name, settings, monkeypatch):
    bag, parts = build(name)
    song = music(int(1.7 * RATE))
    expected = applied(bag, song, monkeypatch, seed=5, **{"shifts": 1, **settings})
    assert null_db(passed(parts, song, seed=5, **settings), expected) < -100


@pytest.mark.parametrize("frames", [1, 2, 1000, RATE, RATE + 1])
def test_songs_of_any_length_are_those_of_apply_model(frames, monkeypatch):
    bag, parts = build("transformer")
    song = music(frames)
    if frames == 1:  # whose deviation Demucs takes to be "not a number"
        assert np.isfinite(passed(parts, song)).all()
    else:
        assert null_db(passed(parts, song), applied(bag, song, monkeypatch)) < -90


def test_blocks_of_any_length_give_the_same_stems():
    _, parts = build("transformer")
    song = music(int(1.3 * RATE))
    np.testing.assert_array_equal(passed(parts, song, block=333), passed(parts, song, block=10**6))


def test_networks_that_no_selected_stem_needs_do_not_run_and_the_others_stay_the_same():
    _, parts = build("bag")
    song = music(RATE)
    every = passed(parts, song, seed=2)
    runs = dict.fromkeys(range(3), 0)
    for index, part in enumerate(parts):

        def count(*_, index=index):
            runs[index] += 1

        part.network.register_forward_hook(count)
    drums = passed(parts, song, stems=("drums",), seed=2)
    assert (runs[0] > 0, runs[1], runs[2]) == (True, 0, 0)
    np.testing.assert_allclose(drums[0], every[SOURCES.index("drums")], atol=1e-7)


def test_stems_are_in_the_requested_order():
    _, parts = build("transformer")
    song = music(RATE)
    every = passed(parts, song)
    some = passed(parts, song, stems=("vocals", "drums"))
    np.testing.assert_allclose(some, every[[SOURCES.index("vocals"), SOURCES.index("drums")]], atol=1e-7)


def test_the_first_seconds_come_before_the_song_has_been_read():
    _, parts = build("transformer")
    read = []

    def blocks():
        for _ in range(40):
            read.append(RATE // 2)
            yield music(RATE // 2)

    level = measure_song([music(RATE)])
    maker = DemucsSongModel(parts, None, SeparationSettings(precision="float32"), "cpu")
    mix, _ = next(maker.separate(blocks(), RATE, level))
    assert mix.shape[1] > 0
    assert sum(read) < 5 * RATE


@pytest.mark.parametrize("name", ["transformer", "bag", "hybrid"])
def test_windows_computed_at_once_give_the_same_stems(name):
    _, parts = build(name)
    song = music(int(4.3 * RATE))
    alone = passed(parts, song, shifts=2)
    torch.set_num_threads(2)
    try:
        maker = DemucsSongModel(parts, None, SeparationSettings(precision="float32"), "cpu")
        assert (maker._runner.at_once(8.0), maker._runner.at_once(44.0)) == (2, 1)
        np.testing.assert_allclose(passed(parts, song, shifts=2), alone, atol=2e-6)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_whoever_stops_reading_leaves_no_thread_behind():
    _, parts = build("transformer")
    torch.set_num_threads(2)
    try:
        maker = DemucsSongModel(parts, None, SeparationSettings(precision="float32"), "cpu")
        reading = maker.separate(iter([music(6 * RATE)]), RATE, measure_song([music(RATE)]))
        next(reading)
        assert any(thread.name.startswith("window") for thread in threading.enumerate())
        reading.close()
        assert not any(thread.name.startswith("window") for thread in threading.enumerate())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_memory_does_not_grow_with_the_song(monkeypatch):
    """What is held of a song, measured as it goes on: no more than a few windows."""
    _, parts = build("transformer")
    maker = DemucsSongModel(parts, None, SeparationSettings(precision="float32", shifts=2), "cpu")
    monkeypatch.setattr(maker._runner, "prepare", lambda _, window: lambda: np.zeros((4, *window.shape), np.float32))
    held = []

    def blocks():
        for _ in range(300):
            yield music(RATE // 2)

    for mix, _ in maker.separate(blocks(), RATE, measure_song([music(RATE)])):
        held.append(mix.base.shape[1] if mix.base is not None else mix.shape[1])
    assert len(held) > 50
    assert max(held) < 10 * RATE


def test_a_seed_moves_the_windows():
    _, parts = build("transformer")
    song = music(RATE)
    assert not np.array_equal(passed(parts, song, seed=1), passed(parts, song, seed=2))
    np.testing.assert_array_equal(passed(parts, song, seed=1), passed(parts, song, seed=1))


def test_a_longer_segment_than_a_transformer_was_trained_for_is_refused():
    _, parts = build("transformer")
    with pytest.raises(ConfigError, match="at most 1 s"):
        DemucsSongModel(parts, None, SeparationSettings(segment=3.0), "cpu")


def test_an_unknown_stem_is_refused():
    _, parts = build("transformer")
    with pytest.raises(ConfigError, match="no stem 'piano'"):
        DemucsSongModel(parts, ("piano",), SeparationSettings(), "cpu")


@pytest.mark.parametrize(("segment", "stride"), [(10, 10), (10, 7), (10, 5), (11, 3), (7, 1)])
def test_the_gains_of_all_windows_over_a_frame_sum_to_one(segment, stride):
    grid, total = SegmentGrid(segment, stride), np.zeros(20 * stride + segment)
    for index in range(20):
        total[index * stride : index * stride + segment] += grid.gain(index)
    np.testing.assert_allclose(total[: 20 * stride], 1.0, atol=1e-6)


def test_identity_differs_by_weights_and_settings():
    _, parts = build("transformer")
    other = [Part(tiny(), (1.0,) * 4)]

    def identity(parts, **settings):
        return DemucsSongModel(parts, None, SeparationSettings(**settings), "cpu").cache_key

    assert identity(parts) == identity(parts)
    assert len({identity(parts), identity(other), identity(parts, overlap=0.5), identity(parts, seed=1)}) == 4


def test_out_of_memory_windows_are_halved_then_the_cpu_is_tried_then_it_is_over():
    torch.manual_seed(3)
    parts = [Part(HTDemucs(SOURCES, **{**RANDOM["tiny"], "segment": Fraction(6)}).eval(), (1.0,) * 4)]
    maker, received = DemucsSongModel(parts, ("vocals",), SeparationSettings(), "cuda"), []
    while (smaller := maker.with_less_memory()) is not None:
        maker, how = smaller
        received.append(how)
        assert maker.stems == ("vocals",)
    assert received[:3] == ["with windows of 3 s", "with windows of 1.5 s", "on the CPU"]
    assert maker._device == "cpu"


@pytest.mark.parametrize("name", ["transformer", "hybrid"])
def test_smaller_windows_are_not_padded_and_give_stems_all_the_same(name, monkeypatch):
    _, parts = build(name)
    lengths, song = [], music(RATE)
    monkeypatch.setattr("stream_sep.files.demucs_pass.MIN_SEGMENT_SECONDS", 0.5)
    maker, _ = DemucsSongModel(parts, None, SeparationSettings(shifts=0), "cpu").with_less_memory()
    parts[0].network.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape[-1]))
    made = np.concatenate([stems for _, stems in maker.separate(iter([song]), RATE, measure_song([song]))], axis=2)
    assert made.shape == (4, *song.shape)
    assert max(lengths) < 0.8 * RATE
    assert np.isfinite(made).all()
    assert made.std() > 0
