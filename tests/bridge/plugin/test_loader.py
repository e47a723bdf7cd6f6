"""The plug-in in the smallest host of each format, loader.cpp: without an engine, and with one."""

import pytest
from plugin_host_double import PluginHostDouble
from plugin_loader import assert_played, compile_loader, run_loader

ABSENT, RUNNING = 0, 2


@pytest.fixture(scope="module")
def loader(tmp_path_factory, bundles):
    assert bundles  # else there is no compiler
    out = tmp_path_factory.mktemp("loader") / "loader"
    compile_loader(out)
    return out


@pytest.mark.usefixtures("meeting")
def test_every_format_plays_the_input_in_time_without_an_engine(loader, bundles):
    assert_played(run_loader(loader, bundles["clap"]), state=ABSENT)


def test_every_format_renders_the_stems_of_an_engine_exactly(loader, bundles, meeting):
    double = PluginHostDouble(meeting.socket)
    try:
        printed = run_loader(loader, bundles["clap"], "engine")
    finally:
        double.close()
    assert_played(printed, state=RUNNING)
    assert len(double.hellos) == 3
    assert all(1 in seen for seen in double.offline)  # the hint came with each block
    assert double.hints == [0, 0, 0]  # and went with the last
