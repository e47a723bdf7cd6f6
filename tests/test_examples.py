"""Every example runs, without a sound card, and stays short."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
SHORT = {name: ["--seconds", "0.3"] for name in ("faders_from_python.py", "midi_faders.py")}


def test_there_are_examples():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_prints_something(example, tmp_path):
    command = [sys.executable, str(example), *SHORT.get(example.name, [])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_at_most_sixty_lines(example):
    assert len(example.read_text().splitlines()) <= 60
