import itertools

import numpy as np
import pytest
from noise import gaussian_noise
from streaming import stream

from stream_sep.errors import ConfigError
from stream_sep.separators.windowed import MARGIN, WindowedSeparator, sizes_for_budget

RATE = 44100
CONTEXT, HOP, LOOKAHEAD, FADE = 300, 64, 50, 17
SIZES = {"context": CONTEXT, "hop": HOP, "lookahead": LOOKAHEAD, "fade": FADE}


REST = {
    ("vocals", "drums", "other"): 2,
    ("vocals", "rest"): 1,
    ("Instrumental", "Vocals"): 0,
    ("no_drums", "drums"): 0,
    ("drums", "bass"): 1,
}
"""Stems -> the one that the remainder goes to."""


class NonlinearModel:
    """Each stem depends on the whole window and on the place in it, as a network's does, and has a bias."""

    sample_rate = RATE
    channels = 2

    def __init__(self, stems=("vocals", "drums", "other")):
        self.stems = stems
        self.calls = 0

    def __call__(self, window):
        self.calls += 1
        level = np.abs(window).max()
        place = np.linspace(0, 1, window.shape[1], dtype=np.float32)
        return np.stack([np.tanh((k + 1) * window + place * level) * 0.2 + 0.01 for k in range(len(self.stems))])


def offline(model, mix, *, context, hop, lookahead, fade):
    """Every window over the whole file, weighted and added frame by frame: slow and obvious."""
    before, after = context + hop + fade + lookahead, lookahead + fade
    padded = np.pad(mix, ((0, 0), (before, 0))).astype(np.float64)
    total = np.zeros((len(model.stems), *padded.shape))
    for newest in range(before + hop, padded.shape[1] + 1, hop):
        window = padded[:, newest - before : newest].astype(np.float32)
        stems = np.array(model(window), np.float64)
        stems[REST[model.stems]] += window - stems.sum(axis=0)
        for frame in range(hop + fade):
            weight = min(1, (frame + 1) / (fade + 1), (hop + fade - frame) / (fade + 1))
            total[:, :, newest - before + context + frame] += weight * stems[:, :, context + frame]
    return np.pad(total[:, :, before:-after], ((0, 0), (0, 0), (after, 0)))


@pytest.mark.parametrize("stems", REST)
@pytest.mark.parametrize(
    "sizes",
    [SIZES, SIZES | {"context": 0}, SIZES | {"lookahead": 0}, SIZES | {"fade": HOP}, SIZES | {"lookahead": 200}],
)
def test_the_stream_equals_the_windows_of_the_whole_file(stems, sizes):
    mix = gaussian_noise(40 * HOP)
    streamed = stream(WindowedSeparator(NonlinearModel(stems), **sizes), mix)
    assert np.abs(streamed - offline(NonlinearModel(stems), mix, **sizes)).max() < 1e-6


def test_without_a_fade_the_cores_stand_side_by_side():
    sizes = SIZES | {"fade": 0}
    mix = gaussian_noise(20 * HOP)
    separator = WindowedSeparator(NonlinearModel(), **sizes)
    assert separator.latency == LOOKAHEAD
    assert np.abs(stream(separator, mix).sum(axis=0)[:, LOOKAHEAD:] - mix[:, :-LOOKAHEAD]).max() < 1e-6


def test_silence_is_not_given_to_the_model():
    model = NonlinearModel()
    assert not stream(WindowedSeparator(model, **SIZES), np.zeros((2, 20 * HOP), np.float32)).any()
    assert model.calls == 0


def test_silence_comes_before_the_first_frame_of_the_mix():
    out = stream(WindowedSeparator(NonlinearModel(), **SIZES), gaussian_noise(20 * HOP))
    assert not out[..., : LOOKAHEAD + FADE].any()
    assert out[..., LOOKAHEAD + FADE].all()


def test_a_bad_number_of_the_model_is_gone_after_a_hop_and_a_fade():
    class Stumbles(NonlinearModel):
        def __call__(self, window):
            stems = super().__call__(window)
            return stems * np.nan if self.calls == 5 else stems

    mix = gaussian_noise(20 * HOP)
    out = stream(WindowedSeparator(Stumbles(), **SIZES), mix)
    good = stream(WindowedSeparator(NonlinearModel(), **SIZES), mix)
    bad = np.flatnonzero(~np.isfinite(out).all(axis=(0, 1)))
    assert (bad[0], bad[-1]) == (4 * HOP, 5 * HOP + FADE - 1)
    assert np.array_equal(out[..., 5 * HOP + FADE :], good[..., 5 * HOP + FADE :])


def test_the_window_given_to_the_model_is_always_as_long():
    lengths = set()

    class Watched(NonlinearModel):
        def __call__(self, window):
            lengths.add(window.shape[1])
            return super().__call__(window)

    stream(WindowedSeparator(Watched(), **SIZES), gaussian_noise(20 * HOP))
    assert lengths == {CONTEXT + HOP + LOOKAHEAD + FADE}


@pytest.mark.parametrize("wrong", [{"hop": 0}, {"context": -1}, {"lookahead": -1}, {"fade": -1}, {"fade": HOP + 1}])
def test_sizes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError):
        WindowedSeparator(NonlinearModel(), **(SIZES | wrong))


def total_ms(sizes, seconds):
    return (sizes.hop + sizes.lookahead + sizes.fade) * 1000 / RATE + seconds * 1000


@pytest.mark.parametrize(
    ("budget", "seconds", "multiple"),
    list(itertools.product((300, 800, 1500, 2500), (0.01, 0.1, 0.25), (1, 147))),
)
def test_a_budget_is_met_and_keeps_up_or_names_the_smallest(budget, seconds, multiple):
    window = 2 * RATE
    try:
        sizes = sizes_for_budget(budget, seconds, RATE, window=window, multiple=multiple)
    except ConfigError as error:
        smallest = int(str(error).split("smallest budget is ")[1].split(" ms")[0])
        assert smallest > budget
        sizes = sizes_for_budget(smallest, seconds, RATE, window=window, multiple=multiple)
        budget = smallest
    assert total_ms(sizes, seconds) <= budget
    assert seconds * RATE <= MARGIN * sizes.hop
    assert sizes.hop % multiple == 0
    assert sizes.context + sizes.hop + sizes.lookahead + sizes.fade == window
    assert min(sizes.context, sizes.lookahead) >= 0


def test_one_millisecond_less_than_the_smallest_budget_is_refused():
    with pytest.raises(ConfigError, match="smallest budget is 644 ms") as refused:
        sizes_for_budget(643, 0.3, RATE, window=RATE)
    assert "643 ms" in str(refused.value)
    assert total_ms(sizes_for_budget(644, 0.3, RATE, window=RATE), 0.3) <= 644


def test_a_window_shorter_than_the_hop_it_needs_is_refused():
    with pytest.raises(ConfigError, match="make the window longer"):
        sizes_for_budget(5000, 1.0, RATE, window=RATE)
