"""The table of effects beside Pedalboard itself."""

import numpy as np
import pytest
from effect_chains import FADE, HOP, RATE, largest_step, sine
from noise import gaussian_noise
from requirements import require_package
from streaming import stream

from stream_sep.effects.catalog import EFFECTS, UNSUPPORTED
from stream_sep.effects.chained_separator import load_chained

pedalboard = require_package("pedalboard", "effects")


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_effect_takes_its_parameters_at_the_ends_of_their_ranges(name):
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
            assert np.isfinite(stream(separator, gaussian_noise(10 * HOP))).all()


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_effect_listed_as_unsupported_is_still_silent(name):
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
