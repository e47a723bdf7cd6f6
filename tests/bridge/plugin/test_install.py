"""Installing writes complete bundles where DAWs look and prints the paths; removing leaves nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.plugin import install
from bridge.plugin.build import compile_plugin, this_system
from bridge.plugin.install import FORMATS, install_plugins, list_plugins, remove_plugins
from stream_sep.errors import ConfigError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(install.FOLDER_VARIABLE, str(tmp_path / "plugins"))
    monkeypatch.setenv("STREAM_SEP_PLUGIN_COMMAND", str(tmp_path / "settings" / "plugin-host"))
    return tmp_path


def present():
    return [plugin.format for plugin in list_plugins() if plugin.present]


def test_all_formats_are_installed_listed_and_removed(folder, bundles):
    assert present() == []
    installed = install_plugins(binary=bundles["clap"])
    assert [plugin.format for plugin in installed] == list(FORMATS) == present()
    command = (folder / "settings" / "plugin-host").read_text().splitlines()
    assert command == [sys.executable, "-P", "-m", "stream_sep", "host"]
    (folder / "settings" / "plugin-host.log").write_text("of a host that the plug-in started")
    assert [plugin.format for plugin in remove_plugins()] == list(FORMATS)
    assert present() == []
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_one_format_comes_and_goes_alone(folder, bundles):
    install_plugins(["lv2", "lv2"], binary=bundles["clap"])
    assert present() == ["lv2"]
    install_plugins(["vst3"], binary=bundles["clap"])
    remove_plugins(["lv2"])
    assert present() == ["vst3"]
    assert (folder / "settings" / "plugin-host").exists()


def test_installing_again_replaces_what_was_there(folder, bundles):
    install_plugins(binary=bundles["clap"])
    stale = folder / "plugins" / "StreamSep.vst3" / "Contents" / "stale"
    stale.write_text("old")
    install_plugins(binary=bundles["clap"])
    assert not stale.exists()
    assert not list((folder / "plugins").glob(".*"))


def test_removing_what_is_not_there_is_no_error(folder):
    assert folder
    assert remove_plugins() == ()


@pytest.mark.usefixtures("folder")
def test_unknown_format_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="choose from vst3, clap, lv2"):
        install_plugins(["vst2"])


def test_install_that_fails_leaves_the_old_one_and_nothing_half_written(folder, bundles, monkeypatch):
    install_plugins(binary=bundles["clap"])
    before = sorted(folder.rglob("*"))

    def fail():
        raise OSError("the disk is full")

    monkeypatch.setattr(install, "description", fail)
    with pytest.raises(ConfigError, match="the disk is full"):
        install_plugins(["lv2"], binary=bundles["clap"])
    assert sorted(folder.rglob("*")) == before


def test_missing_compiler_is_reported_with_its_remedy(folder, monkeypatch):
    assert folder
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="apt install g"):
        install_plugins()


def test_native_code_that_does_not_compile_is_reported(tmp_path):
    (tmp_path / "broken.cpp").write_text("int broken( {\n")
    with pytest.raises(ConfigError, match=r"broken\.cpp"):
        compile_plugin(tmp_path / "out", more=[str(tmp_path / "broken.cpp")])


def test_command_line_installs_names_the_menu_lists_and_removes(folder):
    def run(*arguments):
        command = [sys.executable, "-P", "-m", "stream_sep", "plugin", *arguments]
        return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True).stdout

    output = run("install", "--format", "clap", "--no-warm")
    assert f"installed clap: {folder / 'plugins' / 'StreamSep.clap'}" in output
    assert "Ardour" in output
    assert "REAPER" in output
    assert "not installed" in run("list")
    assert "removed clap" in run("remove")
    assert "nothing was installed" in run("remove")


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        ("linux", {}, (".vst3", ".clap", ".lv2")),
        ("darwin", {}, tuple(f"Library/Audio/Plug-Ins/{name}" for name in ("VST3", "CLAP", "LV2"))),
        (
            "win32",
            {},
            (
                "AppData/Local/Programs/Common/VST3",
                "AppData/Local/Programs/Common/CLAP",
                "AppData/Roaming/LV2",
            ),
        ),
        (
            "win32",
            {"LOCALAPPDATA": "/users/me/local", "APPDATA": "/users/me/roaming"},
            ("local/Programs/Common/VST3", "local/Programs/Common/CLAP", "roaming/LV2"),
        ),
    ],
)
def test_folders_are_those_where_the_daws_of_each_system_look(system, environment, expected):
    home = Path("/users/me")
    assert install.plugin_folders(system, home, environment) == {
        form: home / folder for form, folder in zip(FORMATS, expected, strict=True)
    }


def test_this_system_has_a_name():
    assert this_system().partition("-")[0] in {"linux", "macos", "windows"}
