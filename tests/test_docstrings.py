"""Every public function of two parameters or more documents each of them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ELSEWHERE = re.compile(r"\b(?:as|see|as in) `", re.IGNORECASE)
"""A docstring that refers to the function it implements, whose arguments are the same."""

DESCRIBED_BY_THEIR_FRAMEWORK = ("stream_sep/cli/", "bridge/web/service/routes/", "bridge/web/service/migrations/")
"""Typer prints the help of each parameter, FastAPI the description of each field."""


def public_functions(path):
    """Every public function and method of a file, but those of private classes."""
    waiting = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        for node in waiting.pop().body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                waiting.append(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                yield node


def lacks_arguments(function):
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    names = [each.arg for each in every if not each.arg.startswith("_")]  # the function does not read those
    text = ast.get_docstring(function) or ""
    is_described = "Args:" in text or "Shape:" in text or ELSEWHERE.search(text)
    return len(set(names) - {"self", "cls"}) >= 2 and not is_described


@pytest.mark.parametrize("package", ["stream_sep", "bridge"])
def test_public_function_describes_its_arguments(package):
    missing = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(DESCRIBED_BY_THEIR_FRAMEWORK)
        for function in public_functions(path)
        if lacks_arguments(function)
    ]
    assert missing == []
