"""The base of all commands: ``-h``, the common options, and older names of options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from stream_sep.cli.logs import log_options
from stream_sep.cli.renamed import rename_options
from stream_sep.cli.signatures import add_options
from stream_sep.cli.subjects import by_subject

if TYPE_CHECKING:
    from collections.abc import Callable


_MAX_SUMMARY = 1000


class Command(TyperCommand):
    """A command that also accepts older names of its options, and lists many of them by subject."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - whose type moved between versions
        """Parse the arguments, after renaming options."""
        return super().parse_args(ctx, rename_options(self.name or "", args))

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the arguments and options, those of a long command by subject."""
        for title, rows in by_subject(self, ctx).items():
            with formatter.section(title):
                formatter.write_dl(rows)


class Group(TyperGroup):
    """A group of commands whose help has the whole summary of each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the list of commands, wrapped rather than cut."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(_MAX_SUMMARY)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class App(typer.Typer):
    """Commands, each with the options that every command has.

    Args:
        summary: the help text.
        settings: as `typer.Typer` takes them.
    """

    def __init__(self, summary: str, **settings: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(
            help=summary,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            rich_markup_mode=None,  # whose tables leave 17 characters of a narrow terminal for the help of an option
            **{"cls": Group, "add_completion": False, "no_args_is_help": True, **settings},
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # type: ignore[override] # noqa: ANN401 - as above
        """Return a decorator that adds a command."""
        add = super().command(name, cls=Command, **settings)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            add(add_options(function, log_options))
            return function

        return register
