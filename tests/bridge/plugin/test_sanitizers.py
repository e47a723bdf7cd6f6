"""The plug-in under g++'s sanitizers in every format: no access out of bounds, no leak, no undefined behaviour."""

import os
import shutil
import subprocess

import pytest
from plugin_host_double import PluginHostDouble
from plugin_loader import assert_played, compile_loader, run_loader
from requirements import require

from bridge.plugin.build import compile_plugin

ABSENT, RUNNING = 0, 2
FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1")


def has_sanitizers(folder):
    if not shutil.which("c++"):
        return False
    (folder / "empty.cpp").write_text("int main() {}")
    built = subprocess.run(
        ["c++", *FLAGS, folder / "empty.cpp", "-o", folder / "empty"], capture_output=True, check=False
    )
    return built.returncode == 0 and subprocess.run([folder / "empty"], check=False).returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sanitized")
    require(has_sanitizers(made), "needs a C++ compiler with sanitizers: apt install g++")
    compile_plugin(made / "plugin", more=["-Werror", *FLAGS])
    compile_loader(made / "loader", flags=FLAGS)
    return made


def play(folder, *more):
    return run_loader(
        folder / "loader", folder / "plugin", *more, env={**os.environ, "ASAN_OPTIONS": "abort_on_error=0"}
    )


@pytest.mark.usefixtures("meeting")
def test_plugin_without_an_engine_runs_clean(folder):
    assert_played(play(folder), state=ABSENT)


def test_plugin_with_an_engine_runs_clean(folder, meeting):
    double = PluginHostDouble(meeting.socket)
    double.moves = {"stem/bass/gain_db": -7.0}
    try:
        assert_played(play(folder, "engine"), state=RUNNING)
    finally:
        double.close()


def test_error_is_detected(folder, tmp_path):
    (tmp_path / "wrong.cpp").write_text("int main(int count, char**) { int few[2] = {1, 2}; return few[count + 1]; }")
    subprocess.run(["c++", *FLAGS, tmp_path / "wrong.cpp", "-o", tmp_path / "wrong"], check=True, capture_output=True)
    assert folder
    assert subprocess.run([tmp_path / "wrong"], capture_output=True, check=False).returncode != 0
