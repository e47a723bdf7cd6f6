"""What ``make fast`` collects: a test that imports PyTorch and is not listed as slow breaks it, and only it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_fast_tests_import_nothing_heavy():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", "not slow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
