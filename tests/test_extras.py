"""The command that messages print: it names this Python, works in any shell, and keeps a checkout editable."""

import ast
import json
import shlex
import sys
import tomllib
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from stream_sep import extras


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """An installed package rather than a checkout, and what pip noted about where it came from."""
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "stream_sep" / "extras.py"))

    def note(direct):
        monkeypatch.setattr(PathDistribution, "read_text", lambda _self, _name: direct and json.dumps(direct))

    return note


def test_checkout_stays_editable():
    root = Path(__file__).parent.parent
    words = shlex.split(extras.install_hint("effects", "midi"))
    assert words == ["run:", sys.executable, "-m", "pip", "install", "--editable", f"{root}[effects,midi]"]


@pytest.mark.parametrize(
    ("direct", "requirement"),
    [
        (None, "stream-sep[jack]"),
        ({"url": "file:///tmp/stream_sep.whl", "archive_info": {}}, "stream-sep[jack] @ file:///tmp/stream_sep.whl"),
        (
            {"url": "https://example.org/s.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "stream-sep[jack] @ git+https://example.org/s.git@abc",
        ),
    ],
)
def test_extra_is_requested_from_the_source_of_the_installed_package(installed, direct, requirement):
    installed(direct)
    assert shlex.split(extras.install_hint("jack"))[-1] == requirement


@pytest.mark.parametrize(("platform", "start"), [("linux", '"/a b/python" -m'), ("win32", '& "/a b/python" -m')])
def test_path_with_a_space_is_quoted_for_the_shell(monkeypatch, platform, start):
    monkeypatch.setattr(sys, "executable", "/a b/python")
    monkeypatch.setattr(sys, "platform", platform)
    assert extras.install_hint("jack").startswith(f"run: {start}")


@pytest.mark.parametrize(
    ("extra", "torch", "warns"), [("demucs", None, True), ("demucs", 1, False), ("jack", None, False)]
)
def test_download_of_gigabytes_is_announced_with_the_way_around_it(monkeypatch, extra, torch, warns):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(extras, "find_spec", lambda _name: torch)
    hint = extras.install_hint(extra)
    assert ("2 GB" in hint) == warns
    assert ("https://download.pytorch.org/whl/cpu" in hint) == warns


def test_every_message_about_a_missing_package_comes_from_here():
    root = Path(__file__).parent.parent
    own = {root / "stream_sep" / "extras.py", root / "stream_sep" / "separators" / "demucs" / "networks.py"}
    sources = [*root.glob("stream_sep/**/*.py"), *root.glob("bridge/**/*.py")]
    assert [file for file in sources if "pip install" in file.read_text(encoding="utf-8") and file not in own] == []


BASE = {"numpy", "numba", "llvmlite", "sounddevice", "soundfile", "soxr", "typer", "rich", "pythonosc", "mido"}
BASE |= {"platformdirs", "tomlkit"}
"""Modules that the package always installs."""


def imported_modules(file):
    """Top-level names of all modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_optional_module_that_the_code_imports_has_an_extra():
    root = Path(__file__).parent.parent
    files = [*root.glob("stream_sep/**/*.py"), *root.glob("bridge/**/*.py")]
    imported = {module for file in files for module in imported_modules(file)}
    optional = imported - BASE - set(sys.stdlib_module_names) - {"stream_sep", "bridge"}
    assert optional
    assert {module for module in optional if not extras.missing_extra(ModuleNotFoundError(name=module))} == set()


def test_every_named_extra_exists():
    declared = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(extras._PACKAGES) <= set(declared["project"]["optional-dependencies"])


def test_module_of_no_extra_is_not_blamed_on_one():
    assert not extras.missing_extra(ModuleNotFoundError(name="own_separator"))
    assert not extras.missing_extra(ModuleNotFoundError())
