"""Which part may know of which: read from the source, so that a wrong import fails before it hurts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "stream_sep"
HEAVY = (
    "torch",
    "demucs",
    "jack",
    "typer",
    "rich",
    "textual",
    "pedalboard",
    "rtmidi",
    "websockets",
    "zeroconf",
    "onnxruntime",
)
CORE = ("audio", "audio_gains", "audio_state", "compiled", "control", "latency", "levels", "mix", "rings")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_the_engine_never_imports_the_bridge():
    modules = [path for path in PACKAGE.rglob("*.py") if "cli" not in path.parts]
    assert len(modules) > 20
    assert [path for path in modules if "bridge" in imports_of(path)] == []


@pytest.mark.parametrize("name", [*CORE, "worker/hops"])
def test_the_core_knows_neither_models_nor_devices(name):
    found = set(imports_of(PACKAGE / f"{name}.py"))
    assert not found & {"torch", "demucs", "sounddevice", "jack", "typer", "rich"}


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, stream_sep; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
