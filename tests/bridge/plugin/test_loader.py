"""The plug-in in the smallest host of each format, loader.cpp: without an engine, and with one."""

import pytest
from plugin_host_double import PluginHostDouble
from plugin_loader import assert_played, compile_loader, run_loader

from bridge.plugin.lv2_bundle import URI
from bridge.plugin.parameters import plugin_parameters
from bridge.plugin.session import MODELS

ABSENT, RUNNING = 0, 2
PARAMETERS = [
    (1, "bypass"), (2, "karaoke"),
    (10, "vocals_gain"), (11, "vocals_mute"), (12, "vocals_solo"),
    (20, "drums_gain"), (21, "drums_mute"), (22, "drums_solo"),
    (30, "bass_gain"), (31, "bass_mute"), (32, "bass_solo"),
    (40, "other_gain"), (41, "other_mute"), (42, "other_solo"),
    (60, "model"), (61, "reserve"), (70, "state"), (71, "late_hops"),
]  # fmt: skip
"""Numbers and symbols never change; a new parameter has a new one."""


@pytest.fixture(scope="module")
def loader(tmp_path_factory, bundles):
    assert bundles  # else there is no compiler
    out = tmp_path_factory.mktemp("loader") / "loader"
    compile_loader(out)
    return out


@pytest.mark.usefixtures("meeting")
def test_identifiers_are_those_that_projects_have_saved(loader, bundles):
    printed = run_loader(loader, bundles["clap"])
    assert printed["vst3"]["id"] == "53747265616d5365706c7567696e0001"  # "StreamSeplugin", 1
    assert printed["clap"]["id"] == "io.stream_sep.plugin"
    assert printed["lv2"]["name"] == URI == "https://github.com/stream-sep/stream-sep#plugin"
    assert [(parameter.id, parameter.symbol) for parameter in plugin_parameters()] == PARAMETERS
    assert MODELS == ("live", "instant", "bands", "passthrough", "near", "studio")  # saved as numbers


@pytest.mark.usefixtures("meeting")
def test_every_format_plays_the_input_in_time_without_an_engine(loader, bundles):
    assert_played(run_loader(loader, bundles["clap"]), state=ABSENT)


def test_every_format_renders_the_stems_of_an_engine_exactly(loader, bundles, meeting):
    double = PluginHostDouble(meeting.socket)
    double.moves = {"stem/bass/gain_db": -7.0}
    try:
        printed = run_loader(loader, bundles["clap"], "engine")
    finally:
        double.close()
    assert_played(printed, state=RUNNING)
    assert len(double.hellos) == 3
    assert all(1 in seen for seen in double.offline)  # the hint came with each block
    assert double.hints == [0, 0, 0]  # and went with the last
