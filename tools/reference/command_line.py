"""One page per command, from the output of ``--help``."""

import re
from collections.abc import Iterator
from typing import Any

import typer.main
from markdown import code, prose, table

from stream_sep.cli import app
from stream_sep.cli.subjects import by_subject

AREAS = {
    "Live": ("demo", "live", "devices", "host", "plugin"),
    "Songs": ("play", "separate", "render", "cache", "serve"),
    "Faders and settings": ("presets", "midi", "layout", "web", "config"),
    "Models and training": ("models", "evaluate", "data", "train", "pipeline"),
    "Measurements": ("bench", "warm-up"),
}
"""Area -> its commands, in the order in which they are listed."""

PLAIN = ("Arguments", "Options")
"""The lists of a command with few options, which need no headings."""


def command_line_pages() -> dict[str, str]:
    """Return the pages of all commands, and the list of them, by name."""
    root: Any = typer.main.get_command(app)
    context = _context(root, "stream-sep")
    pages = {f"cli-{name}": _page(command, context, name) for name, command in _commands(root)}
    pages["cli"] = (
        f"# Command line\n\n{prose(root.help or '')} `stream-sep COMMAND --help` prints what these pages list.\n\n"
        f"{_areas(dict(_commands(root)))}\n## Options of `stream-sep` itself\n\n{_options(root, context)}"
        "<!-- toctree -->\n"
    )
    return pages


def _areas(commands: dict[str, Any]) -> str:
    """Return the commands by what they are for; one that is in no area is listed at the end."""
    placed = [name for names in AREAS.values() for name in names]
    areas = {**AREAS, "More": tuple(name for name in commands if name not in placed)}
    parts = []
    for title, names in areas.items():
        rows = [(f"[`{name}`](cli-{name}.md)", _short(commands[name])) for name in names]
        if rows:
            parts.append(f"## {title}\n\n{table(('command', 'what it does'), rows)}\n")
    return "\n".join(parts)


def _context(command: Any, name: str, parent: Any = None) -> Any:
    """Return a context of Typer's own copy of Click, which has no public name."""
    return command.context_class(command, info_name=name, parent=parent)


def _commands(group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            yield name, command


def _page(command: Any, parent: Any, name: str) -> str:
    context = _context(command, name, parent)
    parts = [f"# stream-sep {name}\n\n{_body(command, context)}"]
    if hasattr(command, "commands"):
        for child_name, child in _commands(command):
            inner = _context(child, child_name, context)
            parts.append(f"## {name} {child_name}\n\n{_body(child, inner)}")
    return "\n".join(parts)


def _body(command: Any, context: Any) -> str:
    usage = context.get_usage().removeprefix("Usage: ")
    usage = " ".join(usage.split())
    paragraphs = "\n\n".join(prose(part) for part in (command.help or "").split("\n\n"))
    return f"```sh\n{usage}\n```\n\n{paragraphs}\n\n{_options(command, context)}"


def _options(command: Any, context: Any) -> str:
    """Return tables of the arguments and options, below headings where there is more than one subject."""
    parts = []
    sections = by_subject(command, context)
    for title, records in sections.items():
        rows = [(code(names), _with_options(prose(text))) for names, text in records if "--help" not in names]
        heading = f"## {title}\n\n" if len(sections) > len(PLAIN) else ""
        column = "argument" if title == "Arguments" else "option"
        parts.append(f"{heading}{table((column, 'what it does'), rows)}\n\n" if rows else "")
    return "".join(parts)


def _with_options(text: str) -> str:
    """Return a text with back-ticks around the options that it names.

    >>> _with_options("9190 with --web")
    '9190 with `--web`'
    """
    return re.sub(r"(?<![`\w-])--?[a-z][a-z-]*", r"`\g<0>`", text)


def _short(command: Any) -> str:
    return prose((command.help or "").split("\n\n")[0])
