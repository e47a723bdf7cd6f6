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
