"""Presets that ship are found and valid; what is not a preset is refused in a sentence."""

import pytest

from stream_sep import STEMS, ControlState, StreamSepError
from stream_sep.control import parameters_for
from stream_sep.presets import apply_preset, load_preset, shipped_presets


@pytest.mark.parametrize("name", sorted(shipped_presets()))
def test_every_shipped_preset_sets_controls_that_exist(name):
    controls = ControlState(parameters_for(STEMS))
    before = controls.snapshot()
    apply_preset(name, controls)
    assert controls.snapshot() != before


def test_karaoke_closes_the_vocal_fader():
    controls = ControlState(parameters_for(STEMS))
    apply_preset("karaoke", controls)
    assert controls["stem/vocals/gain_db"] == -90


@pytest.mark.parametrize("text", ["schema = 2", "this is no TOML", ""], ids=["future", "broken", "empty"])
def test_a_file_that_is_no_preset_is_refused_by_name(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(StreamSepError, match=r"mine\.toml"):
        load_preset(str(path))


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(StreamSepError, match="karaoke"):
        load_preset("karaokee")


def test_a_preset_with_a_wrong_key_changes_nothing(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('schema = 1\n"stem/drums/mute" = true\n"stem/vocal/mute" = true\n')
    controls = ControlState(parameters_for(STEMS))
    with pytest.raises(StreamSepError, match="stem/vocals/mute"):
        apply_preset(str(path), controls)
    assert controls["stem/drums/mute"] is False
