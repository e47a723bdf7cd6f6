"""A wheel, built and unpacked: it has what the commands look for after an install."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from requirements import require_package

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A folder with the files of a wheel."""
    require_package("hatchling", "dev")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.mark.parametrize("folder", ["mixes", "midi", "training"])
def test_presets_are_in_the_wheel(unpacked, folder):
    names = {path.name for path in (ROOT / "presets" / folder).glob("*.toml")}
    assert names
    assert {path.name for path in (unpacked / "stream_sep/assets/presets" / folder).iterdir()} >= names


def test_an_installed_program_finds_the_config_that_the_pages_train(unpacked, tmp_path):
    code = "from pathlib import Path; from stream_sep.cli.train import find_config; print(*find_config(Path({!r})))"
    for name in ("small", "presets/training/small.toml"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code.format(name)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(unpacked)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == f"{unpacked / 'stream_sep/assets/presets/training/small.toml'} True", (
            done.stderr
        )
