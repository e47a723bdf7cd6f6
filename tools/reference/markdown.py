"""Markdown tables and escapes."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a Markdown table.

    >>> print(table(("a", "b"), [("1", "x|y")]))
    | a | b |
    | --- | --- |
    | 1 | x\\|y |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """Return ``text`` in back-ticks, or nothing for nothing.

    >>> code("x"), code("")
    ('`x`', '')
    """
    return f"`{text}`" if str(text) else ""


def prose(text: str) -> str:
    r"""Return a docstring as Markdown: single paragraphs joined, double back-ticks halved.

    >>> prose("Use ``x``\\nnow.")
    'Use `x` now.'
    """
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def attributes_of(kind: type) -> dict[str, str]:
    """Return the descriptions in the ``Attributes`` section of a class's docstring, by name."""
    text = inspect.getdoc(kind) or ""
    section = re.search(r"^Attributes:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    found: dict[str, str] = {}
    for line in textwrap.dedent(section.group(1)).splitlines() if section else ():
        if match := re.match(r"(\w+): (.*)", line):
            name = match.group(1)
            found[name] = match.group(2)
        elif found:
            found[name] += " " + line.strip()
    return {name: prose(description) for name, description in found.items()}


def constants_of(source: str) -> dict[str, tuple[object, str]]:
    """Return the constants of a module that have a docstring: name -> (value, docstring)."""
    found: dict[str, tuple[object, str]] = {}
    body = ast.parse(source).body
    for statement, after in itertools.pairwise(body):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        value = getattr(statement, "value", None)
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and is_text:
            found[target.id] = (value.value, prose(str(after.value.value)))
    return found
