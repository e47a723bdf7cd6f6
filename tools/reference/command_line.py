"""One page per command, from the output of ``--help``."""

from collections.abc import Iterator
from typing import Any

import typer.main
from markdown import code, prose, table

from stream_sep.cli import app


def command_line_pages() -> dict[str, str]:
    """Return the pages of all commands, and the list of them, by name."""
    root: Any = typer.main.get_command(app)
    context = _context(root, "stream-sep")
    pages = {f"cli-{name}": _page(command, context, name) for name, command in _commands(root)}
    toctree = "\n".join(sorted(pages))
    rows = [(f"[`{name}`](cli-{name})", _short(command)) for name, command in _commands(root)]
    pages["cli"] = (
        "# Command line\n\n"
        f"{prose(root.help or '')}\n\n{table(('command', 'what it does'), rows)}\n\n"
        f"{_options(root, context)}"
        f"```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"
    )
    return pages


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
    return f"```text\n{usage}\n```\n\n{paragraphs}\n\n{_arguments(command)}{_options(command, context)}"


def _arguments(command: Any) -> str:
    rows = [
        (code(str(parameter.name).upper()), prose(getattr(parameter, "help", None) or ""))
        for parameter in command.params
        if parameter.param_type_name == "argument"
    ]
    return f"{table(('argument', 'what it is'), rows)}\n\n" if rows else ""


def _options(command: Any, context: Any) -> str:
    rows = []
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.hidden:
            record = parameter.get_help_record(context)
            if record is not None:
                names, text = record
                rows.append((code(names), prose(text)))
    return f"{table(('option', 'what it does'), rows)}\n\n" if rows else ""


def _short(command: Any) -> str:
    return prose((command.help or "").split("\n\n")[0])
