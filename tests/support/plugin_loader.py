"""Compiles bridge/plugin/loader.cpp, the smallest host of each format, and checks its output."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from bridge.plugin.build import WARNINGS, _compiler
from bridge.plugin.lv2_bundle import URI
from bridge.plugin.models import plugin_latency

HERE = Path(__file__).parents[1] / "bridge" / "plugin"
LATENCY_CHANGED = 8  # of VST3's flags
RUNNING = 2
EXTRA = 2205  # frames of Extra Latency, which loader.cpp reduces while VST3 is active
BLOCKS = {"clap": 512, "vst3": 512, "lv2": 1024}  # LV2's host reports none
NAMES = {"clap": "stream_sep", "vst3": "stream_sep", "lv2": URI}


def compile_program(out, source, *native, system=None, flags=()):
    """Compile a program of this folder with some of the plug-in's own sources, for this system or another."""
    folder = Path(str(files("bridge.plugin") / "native"))
    command = [
        *_compiler(system),
        "-std=c++17",
        "-O2",
        "-s",
        *WARNINGS,
        "-Werror",
        *flags,
        f"-I{folder}",
        str(HERE / source),
    ]
    command += [str(folder / name) for name in native]
    command += ["-pthread", "-ldl"] if (system or sys.platform).startswith("linux") else []
    built = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr


def compile_loader(out, system=None, flags=()):
    compile_program(out, "loader.cpp", "message.cpp", "models.cpp", "parameters.cpp", system=system, flags=flags)


def run_loader(*command, **options):
    """Return what the loader printed: for each format, texts by name."""
    run = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=300, **options)
    lines = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    assert (run.returncode, lines and lines[-1]) == (0, ["done", "1"]), run.stdout + run.stderr
    printed = {form: {} for form in NAMES}
    for form, key, value in lines[:-1]:
        printed[form][key] = value
    return printed


def assert_played(printed, *, state):
    """Check that each format played its input in time, on the main mix and on the one output that has to have it."""
    for form, values in printed.items():
        assert values["name"] == NAMES[form]
        assert values.get("buses", "1 5") == "1 5"
        assert int(values["latency"]) == plugin_latency("passthrough", 44100, BLOCKS[form]), form
        assert [values[key] for key in ("main", "0", "1", "2", "3", "late")] == ["0"] * 6, (form, values)
        assert values["state"] == str(state), form
        assert values["fader"] == ("-7" if state == RUNNING else "0"), form  # moved by the host, shown to the DAW
    assert int(printed["vst3"]["restarts"]) == LATENCY_CHANGED
    if state == RUNNING:
        assert (printed["vst3"]["moved"], printed["vst3"]["reads"]) == ("100", "100")  # at its frame, each point once
    assert int(printed["vst3"]["kept"]) == plugin_latency("passthrough", 44100, BLOCKS["vst3"]) + EXTRA
