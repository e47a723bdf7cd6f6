"""Python processes that the program starts import nothing from the current folder, which may be anybody's."""

import ast
import subprocess
from pathlib import Path

import pytest

from bridge.plugin.install import host_command

ROOT = Path(__file__).parent.parent
FOLDERS = ("stream_sep", "bridge", "tools", "examples")
ELSEWHERE = {"pytest": "imports the copy of the project that it runs in"}
"""Modules run with `-m` from the current folder on purpose."""


def is_own_python(node):
    """Whether a node is the running interpreter, `sys.executable`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"


def commands_in(source):
    """Return the constants of each list and tuple that is a command of Python, or its options."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List | ast.Tuple):
            words = [element.value for element in node.elts if isinstance(element, ast.Constant)]
            options = {"-m", "-c"} & set(words)
            if options and (any(map(is_own_python, node.elts)) or words[0] in options or "-P" in words):
                yield words


def is_safe(words):
    place = min(words.index(option) for option in ("-m", "-c") if option in words)
    module = words[place + 1] if place + 1 < len(words) else ""
    return module in ELSEWHERE or not {"-P", "-I"}.isdisjoint(words[:place])


SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "sys.executable" in path.read_text(encoding="utf-8") or '"-m"' in path.read_text(encoding="utf-8")
}
COMMANDS = [(file, words) for file, source in SOURCES.items() for words in commands_in(source)]


def test_no_command_of_python_imports_from_the_current_folder():
    starting = {file for file, _ in COMMANDS}
    assert {"bridge/plugin/install.py", "bridge/web/service/worker_pool.py"} < starting
    assert [(file, words) for file, words in COMMANDS if not is_safe(words)] == []


@pytest.mark.parametrize(
    ("source", "safe"),
    [
        ("[sys.executable, '-m', 'stream_sep']", False),
        ("[sys.executable, '-P', '-m', 'stream_sep', *more]", True),
        ("('-c', 'import random')", False),
        ("[sys.executable, '-u', '-c', code]", False),
        ("[sys.executable, '-I', '-c', code]", True),
    ],
)
def test_a_command_is_recognized(source, safe):
    (words,) = commands_in(source)
    assert is_safe(words) == safe


@pytest.mark.parametrize("module", ["stream_sep", "typer"])
def test_the_host_of_the_plug_in_starts_beside_other_modules_of_these_names(tmp_path, module):
    (tmp_path / f"{module}.py").write_text("raise SystemExit('the wrong module')")
    run = subprocess.run([*host_command(), "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "--osc-port" in run.stdout
