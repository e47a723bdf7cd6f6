"""The formats' interfaces as the plug-in declares them, against the headers of DPF and of LV2."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

from requirements import require

HERE = Path(__file__).parent
DPF = Path("/usr/share/dpf/distrho/src")
LV2 = Path("/usr/include/lv2/core/lv2.h")


def test_structures_functions_and_ids_are_those_of_the_formats(tmp_path):
    require(shutil.which("c++"), "needs a C++ compiler: apt install g++")
    require(DPF.is_dir(), "needs DPF's headers: apt install dpf-source")
    require(LV2.is_file(), "needs LV2's headers: apt install lv2-dev")
    folders = [f"-I{files('bridge.plugin') / 'native'}", "-isystem", str(DPF)]
    command = ["c++", "-std=c++17", "-Wall", "-Werror", *folders, str(HERE / "abi_check.cpp")]
    built = subprocess.run([*command, "-o", tmp_path / "check"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    found = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")
