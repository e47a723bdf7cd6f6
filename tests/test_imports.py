"""Which package may import which, read from the source, so that a wrong import fails before it hurts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "argon2",
)
ROOT_MODULES = {"errors", "extras", "folders", "import_path", "protocols", "suggestions"}
ALLOWED_IMPORTS = {
    "lowlevel": set(),
    "audio": {"lowlevel"},
    "control": {"lowlevel"},
    "separators": {"lowlevel", "audio"},
    "backends": {"lowlevel", "audio"},
    "effects": {"lowlevel", "control", "separators"},
    "engine": {"lowlevel", "audio", "control", "backends", "effects", "separators"},
    "files": {"lowlevel", "control", "separators"},
    "player": {"lowlevel", "audio", "control", "backends", "effects", "separators", "engine", "files"},
    "evaluation": {
        "lowlevel",
        "audio",
        "control",
        "backends",
        "effects",
        "separators",
        "engine",
        "files",
        "player",
    },
    "training": {"lowlevel", "control", "separators", "files", "evaluation"},
}
"""Package of `stream_sep` -> the packages it may import; `cli` composes them all and is not listed."""

LIGHT = (
    "lowlevel/numba_intrinsics.py",
    "lowlevel/thread_priority.py",
    "audio",
    "control",
    "engine/worker/hop_worker.py",
)
"""Parts that run with neither a model nor a device; `lowlevel.bf16` queries torch."""


def modules_of(path):
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def packages_of(path):
    """The packages of `stream_sep` that a file imports."""
    parts = [name.split(".") for name in modules_of(path)]
    return {name[1] for name in parts if name[0] == "stream_sep" and len(name) > 1}


def files_of(part):
    whole = ROOT / "stream_sep" / part
    return [whole] if whole.suffix else sorted(whole.rglob("*.py"))


def test_every_package_is_in_the_table():
    packages = {path.parent.name for path in (ROOT / "stream_sep").glob("*/__init__.py")}
    assert packages == {*ALLOWED_IMPORTS, "cli"}


@pytest.mark.parametrize("package", ALLOWED_IMPORTS)
def test_package_imports_only_what_its_row_allows(package):
    allowed = ALLOWED_IMPORTS[package] | ROOT_MODULES | {package}
    wrong = {str(path.relative_to(ROOT)): packages_of(path) - allowed for path in files_of(package)}
    assert {path: extra for path, extra in wrong.items() if extra} == {}


def test_only_the_command_line_imports_the_bridge():
    modules = [path for path in (ROOT / "stream_sep").rglob("*.py") if "cli" not in path.parts]
    assert len(modules) > 20
    assert [path for path in modules if any(name.split(".")[0] == "bridge" for name in modules_of(path))] == []


@pytest.mark.parametrize("part", LIGHT)
def test_light_part_imports_neither_models_nor_devices(part):
    found = {name.split(".")[0] for path in files_of(part) for name in modules_of(path)}
    assert not found & {"torch", "demucs", "sounddevice", "jack", "typer", "rich"}


def loaded_by(module, heavy):
    """Return which packages are imported along with a module, in a new process."""
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("stream_sep", HEAVY) == "[]"


def test_command_line_loads_neither_compiler_nor_networks_before_it_needs_them():
    assert loaded_by("stream_sep.cli", ("numba", "torch", "pedalboard", "textual", "fastapi", "sqlalchemy")) == "[]"
