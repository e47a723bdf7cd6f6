"""Chains as tables: reading, writing and error messages."""

import json
import tomllib

import pytest
from effect_chains import LIMITER

from stream_sep.effects.chained_separator import ChainSpec, EffectSpec
from stream_sep.errors import ConfigError


def test_chains_from_toml_are_written_as_they_were():
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
    ("effects", "message"),
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
def test_invalid_chain_is_rejected_with_a_message(effects, message):
    with pytest.raises(ConfigError, match=message):
        ChainSpec.parse({"vocals": effects})
