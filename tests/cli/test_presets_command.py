"""``presets``: a saved preset is never overwritten by accident, and only the user's own can be removed."""

import pytest


@pytest.fixture
def presets(command, monkeypatch, tmp_path):
    monkeypatch.setenv("STREAM_SEP_PRESETS", str(tmp_path / "mine"))
    return lambda *arguments: command("presets", *arguments)


def test_saving_replaces_only_on_request(presets, tmp_path):
    assert presets("save", "mine", "--set", "drums=-6")[0] == 0
    code, _, errors = presets("save", "mine", "--set", "drums=-12")
    assert code == 1
    assert "--replace" in errors
    assert "-6" in (tmp_path / "mine/mine.toml").read_text()
    assert presets("save", "mine", "--set", "drums=-12", "--replace")[0] == 0
    assert "-12" in (tmp_path / "mine/mine.toml").read_text()


def test_bundled_preset_is_overridden_and_comes_back(presets):
    assert presets("save", "karaoke", "--from", "karaoke", "--set", "drums=-6")[0] == 0
    assert "-6" in presets("show", "karaoke")[1]
    assert presets("remove", "karaoke")[0] == 0
    assert "-6" not in presets("show", "karaoke")[1]


@pytest.mark.parametrize(("name", "words"), [("karaoke", "bundled"), ("nothing", "no preset 'nothing'")])
def test_only_presets_of_the_user_are_removed(presets, name, words):
    code, _, errors = presets("remove", name)
    assert code == 1
    assert words in errors


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("vocal=-60", "did you mean 'vocals'"),
        ("vocals=loud", "takes a number"),
        ("bypass=maybe", "on or off"),
        ("vocals=-500", "outside"),
        ("engine/load=1", "read-only"),
        ("vocals", "CONTROL=VALUE"),
    ],
)
def test_wrong_assignment_is_refused(presets, assignment, words):
    code, _, errors = presets("save", "mine", "--set", assignment)
    assert code == 1
    assert words in errors


def test_preset_may_be_for_other_stems(presets):
    code, output, _ = presets("save", "mine", "--set", "stem/strings/gain_db=-6")
    assert code == 0
    assert "note:" in output


EFFECT = """\
schema = 1
[[chains.vocals]]
plugin = "{plugin}"
parameters = {{ {parameters} }}
"""


@pytest.mark.parametrize(
    ("plugin", "parameters", "problem"),
    [
        ("Reverbb", "", "3: no effect is called 'Reverbb'; did you mean 'Reverb'?"),
        ("Reverb", "room_sise = 0.5", "4: effect 'Reverb' has no parameter 'room_sise'; did you mean 'room_size'?"),
        ("Reverb", "room_size = 7", "4: effect 'Reverb': room_size 7 is not in 0..1"),
        ("missing.vst3", "", "3: file not found: missing.vst3"),
    ],
    ids=["plug-in", "parameter", "value", "file"],
)
def test_check_finds_mistakes_in_effects(presets, tmp_path, plugin, parameters, problem):
    (tmp_path / "mine.toml").write_text(EFFECT.format(plugin=plugin, parameters=parameters))
    code, output, _ = presets("check", str(tmp_path / "mine.toml"))
    assert code == 1
    assert output.strip().endswith(f"mine.toml:{problem}")


def test_check_of_a_good_effect_finds_nothing(presets, tmp_path):
    (tmp_path / "mine.toml").write_text(EFFECT.format(plugin="Reverb", parameters="room_size = 0.5"))
    code, output, _ = presets("check", str(tmp_path / "mine.toml"))
    assert (code, output.endswith("no problems\n")) == (0, True)
