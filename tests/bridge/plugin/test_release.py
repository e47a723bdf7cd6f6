"""The plug-in for other systems, cross-compiled as for a release, under Wine and qemu."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clap_host import ClapHost
from plugin_host_double import PluginHostDouble
from plugin_loader import assert_played, compile_loader, compile_program, run_loader
from requirements import require, require_package

from bridge.plugin.build import TARGETS, compile_plugin, this_system
from bridge.plugin.install import FOLDER_VARIABLE
from bridge.plugin.locations import COMMAND_VARIABLE

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[3]
ABSENT, RUNNING = 0, 2
HEADS = {"windows": b"MZ", "linux": b"\x7fELF", "macos": b"\xcf\xfa\xed\xfe"}
PIPE = r"\\.\pipe\stream-sep-release-test"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A function of a system that returns a folder with the plug-in and its loader for it."""
    require_package("ziglang", "plugin")
    folder = tmp_path_factory.mktemp("built")

    def build(system):
        made = folder / system
        if not made.exists():
            compile_plugin(made / "plugin.clap", system=system, more=["-Werror"])
            compile_loader(made / "loader.exe", system=system)
        return made

    return build


@pytest.mark.parametrize("system", TARGETS)
def test_binary_is_built_for_every_system_and_has_all_entries(tmp_path, system):
    require_package("ziglang", "plugin")
    compile_plugin(tmp_path / "plugin", system=system, more=["-Werror"])
    binary = (tmp_path / "plugin").read_bytes()
    assert binary.startswith(HEADS[system.partition("-")[0]])
    entry = {"windows": b"InitDll", "linux": b"ModuleEntry", "macos": b"bundleEntry"}[system.partition("-")[0]]
    for name in (b"GetPluginFactory", b"clap_entry", b"lv2_descriptor", entry):
        assert name in binary, name


def find_program(*names):
    """Return the first of some programs that is on the path, or where Debian has Wine's."""
    folders = os.environ["PATH"] + os.pathsep + "/usr/lib/wine"
    return next((found for name in names if (found := shutil.which(name, path=folders))), None)


class Wine:
    """Windows programs, in their own Wine prefix."""

    def __init__(self, folder, program):
        self._program = program
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "DISPLAY"},
            "WINEPREFIX": str(folder / "wine"),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
            "LC_ALL": "C.UTF-8",
            "STREAM_SEP_PLUGIN_SOCKET": PIPE,
            "STREAM_SEP_PLUGIN_COMMAND": self.path(folder / "command"),
            "PYTHONHOME": r"C:\of\the\daw",
        }

    @staticmethod
    def path(path):
        return "Z:" + str(path).replace("/", "\\")

    def loader(self, folder, *more):
        files = folder / "loader.exe", self.path(folder / "plugin.clap")
        return run_loader(self._program, *files, *more, env=self.environment)

    def end(self):
        server = find_program("wineserver", "wineserver64")
        if server:
            subprocess.run([server, "-k"], env=self.environment, check=False)


@pytest.fixture
def wine(tmp_path):
    program = find_program("wine64", "wine")
    require(program, "needs Wine: apt install wine64")
    made = Wine(tmp_path, program)
    yield made
    made.end()


def test_windows_binary_plays_the_input_in_time_without_an_engine(wine, built):
    assert_played(wine.loader(built("windows-x86_64")), state=ABSENT)


def test_windows_binary_starts_an_engine_and_renders_its_stems_exactly(wine, built, tmp_path):
    folder = tmp_path / "Jürgen Привет"  # a user's folder
    folder.mkdir()
    compile_program(folder / "engine.exe", "windows_engine.cpp", system="windows-x86_64")
    (tmp_path / "command").write_text(f"{wine.path(folder / 'engine.exe')}\n3\n", encoding="utf-8")
    assert_played(wine.loader(built("windows-x86_64"), "engine"), state=RUNNING)


@pytest.fixture
def qemu():
    program = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    require(program, "needs qemu: apt install qemu-user")
    libraries = "/usr/aarch64-linux-gnu"
    require(Path(libraries).is_dir(), "needs the C library for ARM: apt install libc6-arm64-cross")
    return program, "-L", libraries


@pytest.mark.usefixtures("meeting")
def test_arm_binary_plays_the_input_in_time_without_an_engine(qemu, built):
    folder = built("linux-aarch64")
    assert_played(run_loader(*qemu, folder / "loader.exe", folder / "plugin.clap"), state=ABSENT)


def test_arm_binary_renders_the_stems_of_an_engine_exactly(qemu, built, meeting):
    folder, double = built("linux-aarch64"), PluginHostDouble(meeting.socket)
    try:
        printed = run_loader(*qemu, folder / "loader.exe", folder / "plugin.clap", "engine")
    finally:
        double.close()
    assert_played(printed, state=RUNNING)


def test_wheel_with_a_binary_installs_the_plugin_where_there_is_no_compiler(tmp_path):
    wheels, packages, plugins = (tmp_path / name for name in ("wheels", "packages", "plugins"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "STREAM_SEP_BUILD_PLUGIN": this_system()}
    subprocess.run([*pip, "wheel", "--no-deps", "-w", wheels, ROOT], env=environment, check=True)
    (wheel,) = wheels.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", packages, wheel], check=True)
    environment = {
        **os.environ,
        "PATH": "",
        "PYTHONPATH": str(packages),
        FOLDER_VARIABLE: str(plugins),
        COMMAND_VARIABLE: str(tmp_path / "command"),
    }
    install = [sys.executable, "-m", "stream_sep", "plugin", "install", "--no-warm"]
    subprocess.run(install, env=environment, cwd=tmp_path, check=True)
    shipped = packages / "bridge" / "plugin" / "binaries" / f"stream_sep-{this_system()}"
    assert (plugins / "StreamSep.clap").read_bytes() == shipped.read_bytes()
    host = ClapHost(plugins / "StreamSep.clap")
    assert host.value("Model") == 0
    host.close()
