"""Every ``stream-sep`` command that the pages show is one that the command line takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from stream_sep.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile")]
PAGES += sorted(path for path in (ROOT / "docs").rglob("*.md") if not {"generated", "_build"} & set(path.parts))
LINE = re.compile(r"(?:^\s+|`|BIN\)/|Scripts\\|bin/)stream-sep ([^`\n]+)", re.MULTILINE)
WRONG = {"NoSuchOption", "NoSuchCommand", "UsageError"}
"""What is wrong with a command itself; a placeholder for a number is no mistake."""


def commands_of(page):
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    for line in LINE.findall(text):
        words = re.split(r"\s#\s|[>|;&]|\.\.\.", line)[0]
        yield words.strip().rstrip(".,:")


COMMANDS = [
    (page.relative_to(ROOT), line)
    for page in PAGES
    for line in commands_of(page)
    if "-completion" not in line  # which would install it, here
    and not line.startswith("COMMAND ")  # for any command
]


@pytest.fixture(scope="module")
def group():
    return typer.main.get_command(app)


def fault_of(group, line):
    """Return the error of a command, or nothing if it is valid."""
    context, command, rest = None, group, shlex.split(line)
    while True:
        try:
            context = command.make_context("stream-sep", rest, parent=context)
            rest = [*getattr(context, "_protected_args", []), *context.args]
            if not rest or not hasattr(command, "commands"):
                return ""
            _, command, rest = command.resolve_command(context, rest)
        except typer.Exit:  # after help or the version
            return ""
        except Exception as error:  # noqa: BLE001 - typer's errors moved between its modules
            return error.format_message() if type(error).__name__ in WRONG else ""


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}-{line}" for page, line in COMMANDS])
def test_command_in_the_pages_is_understood(group, page, line):
    assert not fault_of(group, line), page


@pytest.mark.parametrize("line", ["live --loud", "lvie", "presets shwo karaoke"])
def test_wrong_command_is_noticed(group, line):
    assert fault_of(group, line)
