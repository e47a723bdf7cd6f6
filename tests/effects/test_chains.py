"""Effects on stems: in time, changed without a step, and left out when they fail."""

import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import numpy as np
import pytest
from requirements import require, require_package

import stream_sep
from stream_sep import Engine, EngineConfig, OfflineBackend
from stream_sep.effects import loader
from stream_sep.effects.catalog import EFFECTS, UNSUPPORTED
from stream_sep.effects.chained_separator import ChainedSeparator, ChainSpec, EffectSpec, load_chained
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.separators.passthrough import PassthroughSeparator

pedalboard = require_package("pedalboard", "effects")

RATE, HOP = 44100, 256
FADE = 441
ZAM = Path("/usr/lib/vst3")
LIMITER = [{"plugin": "BrickwallLimiter"}]
LIMITER_LATE = 220  # 5 ms of look-ahead
GAIN = [{"plugin": "Gain", "parameters": {"gain_db": -6.0}}]


class Copies(PassthroughSeparator):
    """Puts the mix on every stem."""

    def process(self, block):
        stems = super().process(block)
        stems[:] = stems[-1]
        return stems


@pytest.fixture
def vst3():
    """The path of one of zam-plugins' effects."""

    def find(name):
        path = ZAM / f"{name}.vst3"
        require(path.exists(), "needs: apt install zam-plugins")
        return str(path)

    return find


@pytest.fixture
def chain():
    """Build a separator whose stems are all the mix, with chains behind it; ended with the test."""
    made = []

    def build(chains=None, *, hop=HOP, reports=None, **options):
        report = (lambda _: None) if reports is None else reports.append
        made.append(ChainedSeparator(Copies(hop=hop), chains, report=report, **options))
        return made[-1]

    yield build
    for separator in made:
        separator.close()


def noise(frames, seed=0):
    return (0.2 * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)


def sine(frames, start=0):
    wave = 0.5 * np.sin(2 * np.pi * 441 * np.arange(start, start + frames) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def stream(separator, mix):
    hop = separator.hop
    parts = [separator.process(mix[:, at : at + hop]).copy() for at in range(0, mix.shape[1], hop)]
    return np.concatenate(parts, axis=2)


def late(sound, frames):
    return np.pad(sound, ((0, 0), (frames, 0)))[:, : sound.shape[1]]


def largest_step(sound):
    return float(np.abs(np.diff(sound)).max())


# values


def test_chains_are_read_from_toml_and_written_as_they_were():
    table = tomllib.loads(
        "[[chains.vocals]]\nplugin = 'Reverb'\nparameters = { room_size = 0.3 }\n"
        "[[chains.vocals]]\nplugin = '/x.vst3'\nbypass = true\n"
    )["chains"]
    spec = ChainSpec.parse(table)
    assert spec.of("vocals") == (EffectSpec("Reverb", {"room_size": 0.3}), EffectSpec("/x.vst3", bypass=True))
    assert ChainSpec.parse(json.loads(json.dumps(spec.to_dict()))) == spec
    assert spec.with_effect("vocals", 0, "room_size", 0.9).of("vocals")[0].parameters == {"room_size": 0.9}
    assert spec.of("vocals")[0].parameters == {"room_size": 0.3}
    with pytest.raises(TypeError):
        spec.of("vocals")[0].parameters["room_size"] = 0.5


@pytest.mark.parametrize(
    ("effects", "sentence"),
    [
        ([{"plugin": "Revrb"}], r"chain of 'vocals', effect 0: no effect is called 'Revrb'; did you mean 'Reverb'\?"),
        ([{"plugin": "PitchShift"}], "silence when it streams"),
        (
            [{"plugin": "Reverb", "parameters": {"rom_size": 1}}],
            r"no parameter 'rom_size'; did you mean 'room_size'\?",
        ),
        ([{"plugin": "Reverb", "parameters": {"room_size": 3}}], r"'Reverb': room_size 3 is not in 0\.\.1"),
        ([{"plugin": "Reverb", "parameters": {"room_size": "big"}}], r"room_size 'big' is not in 0\.\.1"),
        ([{"plugin": "Reverb", "parameters": {"room_size": float("nan")}}], r"is not in 0\.\.1"),
        ([{"plugin": "LadderFilter", "parameters": {"mode": "LPF13"}}], "is none of LPF12"),
        ([*LIMITER, {"plugin": "Invert", "parameters": {"x": 1}}], "effect 1: .* there are none"),
        ([{"plugin": "Reverb", "params": {}}], r"has no 'params'; did you mean 'parameters'\?"),
        ([{"plugin": "Reverb", "bypass": 1}], "bypass 1 is not true or false"),
        ([{"effect": "Reverb"}], "is not an effect; write one as"),
        ({"plugin": "Reverb"}, "is not a list of effects"),
    ],
)
def test_what_is_no_chain_is_refused_in_a_sentence(effects, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ChainSpec.parse({"vocals": effects})


def test_a_chain_needs_a_stem_there_is(chain):
    with pytest.raises(ConfigError, match=r"no stem 'vocal' to put a chain on; did you mean 'vocals'\?"):
        chain({"vocal": GAIN})


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_effects_and_their_parameters_are_pedalboards(name):
    maker, specs = getattr(pedalboard, name), EFFECTS[name]
    if name == "Convolution":
        assert set(specs) == {"impulse_response_filename", "mix"}
        return
    signature = maker.__init__.__doc__.split("->")[0]
    assert all(f"{parameter}:" in signature for parameter in specs)
    for parameter, known in specs.items():
        for value in known.choices or ((True, False) if known.is_toggle else (known.low, known.high)):
            separator = load_chained(
                separator="passthrough", chains={"other": [{"plugin": name, "parameters": {parameter: value}}]}
            )
            assert np.isfinite(stream(separator, noise(10 * HOP))).all()


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_models_listed_as_silent_still_are(name):
    effect = getattr(pedalboard, name)()
    for at in range(0, 2 * RATE, HOP):
        assert np.abs(effect.process(sine(HOP, at), RATE, buffer_size=HOP, reset=False)).max(initial=0) < 1e-3


AUTOMATABLE = [
    (name, parameter)
    for name, parameters in EFFECTS.items()
    for parameter, spec in parameters.items()
    if spec.automatable
]
LOUD = {
    "Compressor": {"threshold_db": -20, "ratio": 8},
    "NoiseGate": {"threshold_db": -3},
    "Limiter": {"threshold_db": -20},
}


@pytest.mark.parametrize(("name", "parameter"), AUTOMATABLE, ids=[".".join(pair) for pair in AUTOMATABLE])
def test_automatable_parameter_set_directly_makes_no_step(name, parameter):
    known = EFFECTS[name][parameter]
    for first, then in ((known.low, known.high), (known.high, known.low)):
        effect = getattr(pedalboard, name)(**{**LOUD.get(name, {}), parameter: first})
        parts = []
        for hop in range(240):
            if hop == 120:
                setattr(effect, parameter, then)
            parts.append(effect.process(sine(HOP, hop * HOP), RATE, buffer_size=HOP, reset=False))
        sound = np.concatenate(parts, axis=1)
        before, after = sound[:, 60 * HOP : 120 * HOP], sound[:, 220 * HOP :]
        steady = max(largest_step(before), largest_step(after), largest_step(sine(HOP)))
        loudest = float(np.abs(sound).max())
        assert largest_step(sound[:, 119 * HOP :]) <= 1.25 * steady + 2 * loudest / FADE


# latency


@pytest.mark.parametrize("hop", [1, 16, 64, 256, 1000])
def test_without_effects_stems_pass_bit_for_bit(chain, hop):
    mix = noise(hop * (2000 // hop + 5))
    for stem in stream(chain(hop=hop, reserve=777), mix):
        np.testing.assert_array_equal(stem, late(mix, 777))
    assert chain(hop=hop, reserve=777).latency == 777
    assert chain(hop=hop).latency == 0


@pytest.mark.parametrize("hop", [40, 256, 1000])
def test_a_chain_sounds_as_pedalboard_does_on_the_whole_song(chain, hop):
    mix = noise(hop * (20000 // hop))
    separator = chain({"drums": [{"plugin": "Compressor", "parameters": {"threshold_db": -20, "ratio": 4}}, *GAIN,
                                 {"plugin": "Reverb"}]}, hop=hop, reserve=100)  # fmt: skip
    board = pedalboard.Pedalboard([pedalboard.Compressor(-20, 4), pedalboard.Gain(-6), pedalboard.Reverb()])
    expected = board.process(mix, RATE, buffer_size=hop)
    stems = stream(separator, mix)
    np.testing.assert_allclose(stems[1], late(expected, 100), atol=1e-6)
    np.testing.assert_array_equal(stems[0], late(mix, 100))


@pytest.mark.parametrize("hop", [64, 256, 1000])
def test_stems_stay_together_when_a_chain_looks_ahead(chain, hop):
    separator = chain({"vocals": LIMITER, "bass": [*LIMITER, *LIMITER]}, hop=hop)
    assert separator.chain_latency == separator.latency == 2 * LIMITER_LATE
    mix = np.zeros((2, 4 * 1000 // hop * hop), np.float32)
    mix[:, hop + 7] = 0.5
    stems = stream(separator, mix)
    assert np.abs(stems).max(axis=1).argmax(axis=1).tolist() == [hop + 7 + 2 * LIMITER_LATE] * 4


def test_a_vst3_with_look_ahead_is_measured_and_the_other_stems_wait_for_it(chain, vst3):
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}], "drums": LIMITER})
    assert separator.chain_latency == 480
    mix = np.zeros((2, 8 * HOP), np.float32)
    mix[:, 300] = 0.5
    stems = stream(separator, mix)
    assert np.abs(stems).max(axis=1).argmax(axis=1).tolist() == [780] * 4
    np.testing.assert_array_equal(stems[3], late(mix, 480))


def test_an_effect_whose_delay_is_wanted_makes_nobody_wait(chain):
    echo = {"plugin": "Delay", "parameters": {"delay_seconds": 0.01, "mix": 1.0}}
    separator = chain({"vocals": [echo]})
    assert separator.latency == 0
    mix = np.zeros((2, 4 * HOP), np.float32)
    mix[:, 0] = 0.5
    expected = pedalboard.Delay(delay_seconds=0.01, mix=1.0).process(mix, RATE)
    assert int(expected[0].argmax()) > 400
    np.testing.assert_array_equal(stream(separator, mix)[0], expected)


@pytest.mark.parametrize("plugin", ["MP3Compressor", "Resample"])
@pytest.mark.parametrize("hop", [100, 256])
def test_effects_that_give_frames_in_fits_and_starts_give_whole_hops(chain, plugin, hop):
    reports = []
    separator = chain({"vocals": [{"plugin": plugin}]}, hop=hop, reports=reports)
    assert separator.latency > 0
    tone = sine(2 * RATE // hop * hop)
    out = stream(separator, tone)
    assert reports == []
    heard, expected = out[0, 0, RATE:], out[3, 0, RATE:]
    assert np.abs(heard).max() == pytest.approx(0.5, rel=0.1)
    assert np.corrcoef(heard, expected)[0, 1] > 0.9


def test_a_mono_effect_is_made_once_a_side(chain, vst3):
    separator = chain({"vocals": [{"plugin": vst3("ZamGate")}]})
    mix = noise(40 * HOP)
    mix[1] = 0
    stems = stream(separator, mix)
    assert np.abs(stems[0, 0]).max() > 0.01
    assert not stems[0, 1].any()


def test_a_chain_beyond_the_reserve_is_refused_with_the_number_to_ask_for(chain):
    with pytest.raises(
        ConfigError, match="'bass' is 220 frames late and 100 are reserved: start with chain_reserve=220"
    ):
        chain({"bass": LIMITER}, reserve=100)
    separator = chain(reserve=300)
    with pytest.raises(ConfigError, match="chain_reserve=440"):
        separator.set_chains({"bass": [*LIMITER, *LIMITER]})
    assert separator.chains == ChainSpec()
    separator.set_chains({"bass": LIMITER})
    with pytest.raises(ConfigError, match="negative"):
        chain(reserve=-1)


def test_reset_is_as_new(chain, vst3):
    separator = chain({"vocals": [{"plugin": "Reverb"}], "drums": LIMITER, "bass": [{"plugin": vst3("ZaMaximX2")}]})
    mix = noise(40 * HOP)
    first = stream(separator, mix)
    separator.reset()
    np.testing.assert_array_equal(stream(separator, mix), first)


# changes while it plays

REVERB = {"plugin": "Reverb", "parameters": {"wet_level": 0.3, "dry_level": 0.7}}
SHELF = {"plugin": "LowShelfFilter", "parameters": {"gain_db": 6.0}}
QUIET = {"plugin": "Gain", "parameters": {"gain_db": -20.0}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([], [QUIET]),
        ([QUIET], []),
        ([QUIET], [{**QUIET, "bypass": True}]),
        ([{**QUIET, "bypass": True}], [QUIET]),
        ([QUIET], [{**QUIET, "parameters": {"gain_db": 0.0}}]),
        ([REVERB], [{**REVERB, "parameters": {"wet_level": 0.9, "dry_level": 0.2}}]),
        ([REVERB], [REVERB, SHELF]),
        ([SHELF, REVERB, *LIMITER], [*LIMITER, REVERB, SHELF]),
        ([], LIMITER),
        (LIMITER, []),
        (LIMITER, [{"plugin": "BrickwallLimiter", "parameters": {"lookahead_ms": 1.0}}]),
        (LIMITER, [{"plugin": "Invert"}]),
    ],
)
@pytest.mark.parametrize("hop", [64, 256, 2048])
def test_a_change_is_a_crossfade_at_most(chain, first, then, hop):
    separator = chain({"vocals": first}, hop=hop, reserve=400)
    hops = RATE // hop
    before = stream(separator, sine(hops * hop))
    separator.set_chains({"vocals": then})
    after = stream(separator, sine(hops * hop, hops * hop))
    sound = np.concatenate([before, after], axis=2)[:, :, 400 + hop :]
    settled = [sound[0][:, RATE // 2 - 8000 : RATE // 2], sound[0][:, -8000:]]
    reference = chain({"vocals": then}, hop=hop, reserve=400)
    wanted = stream(reference, sine(2 * hops * hop))[0][:, -8000:]
    np.testing.assert_allclose(sound[0][:, -8000:], wanted, atol=2e-2)
    loudest = float(np.abs(sound[0]).max())
    bound = max(largest_step(part) for part in settled) + 2 * loudest / FADE
    assert largest_step(sound[0]) <= 1.02 * bound
    np.testing.assert_array_equal(sound[1], sound[3])
    assert largest_step(sound[3]) <= largest_step(sine(4096)) + 1e-6


def test_a_gliding_parameter_moves_the_effect_that_plays(chain):
    separator = chain({"vocals": [REVERB]})
    playing = separator._aligned["vocals"]
    separator.set_effect("vocals", 0, "wet_level", 0.9)
    assert separator._aligned["vocals"] is playing
    separator.process(noise(HOP))
    assert playing.chain._effects.effects[0]._plugins[0].wet_level == pytest.approx(0.9)
    separator.set_effect("vocals", 0, "freeze_mode", 1.0)
    assert separator._aligned["vocals"] is not playing


def test_a_vst3s_parameters_are_checked_and_moved(chain, vst3):
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}]})
    with pytest.raises(ConfigError, match=r"did you mean 'threshold_db'\?"):
        separator.set_effect("vocals", 0, "treshold_db", -6)
    with pytest.raises(ConfigError, match=r"threshold_db -60 is not in -30\.\.0"):
        separator.set_effect("vocals", 0, "threshold_db", -60)
    loud = np.abs(stream(separator, sine(200 * HOP))[0]).max()
    separator.set_effect("vocals", 0, "output_ceiling_db", -20)
    quiet = stream(separator, sine(200 * HOP, 200 * HOP))[0]
    assert np.abs(quiet[:, -4096:]).max() < 0.5 * loud
    assert largest_step(quiet) <= 1.02 * (largest_step(sine(4096)) + 1 / FADE)


def test_earlier_echoes_go_through_effects_added_later(chain):
    echo = {"plugin": "Delay", "parameters": {"delay_seconds": 0.3, "mix": 1.0, "feedback": 0.0}}
    separator = chain(reserve=0)
    stream(separator, sine(RATE // HOP * HOP))
    separator.set_chains({"vocals": [echo]})
    after = stream(separator, sine(20 * HOP))
    assert np.abs(after[0, :, 10 * HOP :]).max() > 0.4


def test_bypassing_a_chain_and_back_is_a_crossfade_and_keeps_its_echoes(chain):
    separator = chain({"vocals": [QUIET]}, reserve=100)
    parts, at = [], 0
    for bypassed in (False, True, False):
        separator.set_bypass("vocals", bypassed=bypassed)
        parts.append(stream(separator, sine(40 * HOP, at))[0])
        at += 40 * HOP
    loud = [float(np.abs(part[:, 20 * HOP :]).max()) for part in parts]
    assert loud == pytest.approx([0.05, 0.5, 0.05], rel=0.01)
    assert largest_step(np.concatenate(parts, axis=1)[:, HOP:]) <= 1.02 * (largest_step(sine(4096)) + 0.5 / FADE)


def test_hops_go_on_while_effects_load(chain, monkeypatch):
    separator, begun, go_on = chain(reserve=0), threading.Event(), threading.Event()
    load = loader.load_chain

    def slowly(*arguments):
        begun.set()
        assert go_on.wait(30)
        return load(*arguments)

    monkeypatch.setattr(loader, "load_chain", slowly)
    thread = threading.Thread(target=separator.set_chains, args=({"vocals": [{"plugin": "Invert"}]},))
    thread.start()
    assert begun.wait(30)
    mix = noise(20 * HOP)
    np.testing.assert_array_equal(stream(separator, mix)[0], mix)
    go_on.set()
    thread.join(30)
    np.testing.assert_array_equal(stream(separator, mix)[0][:, -HOP:], -mix[:, -HOP:])


def test_of_changes_in_quick_succession_the_last_one_wins(chain):
    separator = chain(reserve=0)
    for gain in (-3.0, -6.0, -12.0):
        separator.set_chains({"vocals": [{"plugin": "Gain", "parameters": {"gain_db": gain}}]})
    out = stream(separator, sine(40 * HOP))
    assert np.abs(out[0, :, -HOP:]).max() == pytest.approx(0.5 * 10 ** (-12 / 20), rel=0.01)


# failures


def break_chain(separator, stem, answer):
    chain = separator._aligned[stem].chain
    play = chain.collect
    chain.collect = lambda: answer(play())


def raising(_):
    raise loader.ChainError("failed: RuntimeError: no")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raising, "failed: RuntimeError: no"),
        (lambda frames: frames * np.float32(np.nan), "produced NaN, infinity or more than 120 dB over full scale"),
        (lambda frames: frames[:, :-5], "exceeded its measured latency"),
    ],
)
def test_a_chain_that_fails_is_left_out_without_a_step_and_reported_once(chain, answer, words):
    reports = []
    separator = chain({"vocals": [QUIET], "drums": [QUIET]}, reserve=0, reports=reports)
    before = stream(separator, sine(40 * HOP))
    break_chain(separator, "vocals", answer)
    after = stream(separator, sine(40 * HOP, 40 * HOP))
    assert reports == [f"the effect chain on vocals {words}; it is bypassed until the chain is set again"]
    np.testing.assert_array_equal(after[0, :, -HOP:], after[3, :, -HOP:])
    assert np.abs(after[1]).max() < 0.06
    assert largest_step(np.concatenate([before, after], axis=2)[0]) <= 1.02 * (largest_step(sine(4096)) + 1 / FADE)
    separator.set_chains({"vocals": [QUIET], "drums": [QUIET]})
    assert np.abs(stream(separator, sine(40 * HOP))[0, :, -HOP:]).max() < 0.06


def test_an_effect_that_raises_while_it_plays_is_left_out(chain, monkeypatch):
    reports = []
    separator = chain({"vocals": [QUIET]}, reports=reports)
    monkeypatch.setattr(separator._aligned["vocals"].chain._effects.effects[0], "_plugins", [None])
    assert np.isfinite(stream(separator, noise(4 * HOP))).all()
    assert len(reports) == 1
    assert "AttributeError" in reports[0]


def test_a_vst3_that_crashes_takes_nothing_with_it(chain, vst3):
    reports = []
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}]}, reports=reports)
    before = stream(separator, sine(40 * HOP))
    os.kill(separator._aligned["vocals"].chain.pid, signal.SIGKILL)
    after = stream(separator, sine(40 * HOP, 40 * HOP))
    assert len(reports) == 1
    assert "crashed with code -9" in reports[0]
    np.testing.assert_array_equal(after[0, :, -HOP:], after[3, :, -HOP:])
    assert largest_step(np.concatenate([before, after], axis=2)[0][:, 600:]) <= largest_step(sine(4096)) + 1 / FADE


def test_a_vst3_that_hangs_is_ended(chain, vst3):
    reports = []
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}]}, reports=reports)
    os.kill(separator._aligned["vocals"].chain.pid, signal.SIGSTOP)
    stream(separator, noise(4 * HOP))
    assert len(reports) == 1
    assert "gave no reply within 0.5 s" in reports[0]


def test_what_the_separator_does_wrong_is_not_blamed_on_a_chain(chain):
    reports = []
    separator = chain({"vocals": [QUIET]}, reports=reports)
    block = noise(HOP)
    block[0, 3] = np.nan
    assert np.isnan(separator.process(block)).any()
    separator.reset()
    assert np.abs(separator.process(sine(HOP))[0]).max() < 0.06
    assert reports == []


@pytest.mark.parametrize("path", ["/not/there.vst3", __file__])
def test_a_file_that_is_no_effect_is_refused_and_nothing_changes(chain, path):
    separator = chain({"vocals": [QUIET]}, reserve=0)
    with pytest.raises(SeparatorError, match=r"effect chain on vocals: effect '.*' cannot be loaded"):
        separator.set_chains({"vocals": [{"plugin": path}]})
    assert separator.chains == ChainSpec.parse({"vocals": [QUIET]})


def test_without_pedalboard_the_remedy_is_named_and_stems_pass():
    code = (
        "import sys; sys.modules['pedalboard'] = None\n"
        "from stream_sep.effects.chained_separator import load_chained\n"
        "from stream_sep.errors import SeparatorError\n"
        "separator = load_chained(separator='passthrough', reserve=10)\n"
        "for plugin in ('Reverb', '/x.vst3'):\n"
        "    try: separator.set_chains({'vocals': [{'plugin': plugin}]})\n"
        "    except SeparatorError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("-m pip install") == 2


def test_importing_the_package_does_not_import_pedalboard():
    code = (
        "import sys, stream_sep.effects.chained_separator; print([m for m in sys.modules if m[:10] == 'pedalboard'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pedalboard_is_known_to_one_module():
    package = Path(inspect.getfile(stream_sep)).parent
    knowing = [path for path in package.rglob("*.py") if "import pedalboard as" in path.read_text()]
    assert [str(path.relative_to(package)) for path in knowing] == [str(Path("effects", "pedalboard_chain.py"))]


def test_the_mix_has_the_effects_with_all_faders_at_unity():
    song = (0.1 * np.random.default_rng(0).standard_normal((2, 8192))).astype(np.float32)
    backend = OfflineBackend()
    config = EngineConfig(model="passthrough", worker="inline", chains={"other": [{"plugin": "Invert"}]})
    with Engine(backend, config) as engine:
        mix, stems = backend.run(song)
        np.testing.assert_array_equal(mix, -song)
        np.testing.assert_array_equal(stems.sum(axis=0), mix)
        engine.set_chains({})
        mix, _ = backend.run(song)
    np.testing.assert_allclose(mix[:, -2048:], song[:, -2048:], atol=1e-6)
