"""The user's defaults for options: a TOML file that `stream-sep config` writes, or an editor.

A name by itself is an option of ``live`` and ``play``; one in a table belongs to the command of the table's name::

    input = "Aggregate"
    block-size = 64

    [separate]
    format = "flac"
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stream_sep.errors import ConfigError, reason
from stream_sep.folders import config_folder, is_reachable
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "STREAM_SEP_CONFIG"
"""Path of the config file."""

SHARED = ("live", "play")
"""The commands that a setting outside of all tables applies to, if they have the option."""

_NOT_SETTINGS = ("help", "verbose", "log-file", "install-completion", "show-completion")


class Options:
    """The options of all commands that can have defaults, from typer.

    Args:
        context: typer's, of the whole command line.
    """

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - typer's, whose module moved between versions
        self._context, self._commands = context, context.command.commands
        self._options = {
            name: {long: parameter for parameter in command.params for long in _long_names(parameter)}
            for name, command in self._commands.items()
            if not hasattr(command, "commands") and name != "config"
        }

    def targets(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return the commands and options that a key, such as ``input`` or ``separate.format``, is the default of.

        Raises:
            ConfigError: no such option.
        """
        command, dot, option = key.rpartition(".")
        commands = (command,) if dot else SHARED
        found = tuple((name, option) for name in commands if option in self._options.get(name, {}))
        if not found:
            raise ConfigError(f"unknown setting {key!r}; {self._hint(key)}")
        return found

    def default(self, command: str, option: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
        """Return an option's default for typer: the name of its parameter, and its texts."""
        parameter = self._options[command][option]
        if isinstance(value, list):
            return parameter.name, [str(entry) for entry in value]
        text = value if isinstance(value, bool) else str(value)
        return parameter.name, [text] if parameter.multiple else text

    def check(self, key: str, value: Any) -> None:  # noqa: ANN401 - any TOML value
        """Validate a value with typer.

        Raises:
            ConfigError: an unknown option, or an invalid value.
        """
        for command, option in self.targets(key):
            required = [parameter for parameter in self._commands[command].params if parameter.required]
            arguments = ["x"] * len(required) + list(_arguments(option, value))
            try:
                self._commands[command].make_context(command, arguments, parent=self._context)
            except Exception as error:
                if not hasattr(error, "format_message"):
                    raise
                raise ConfigError(f"setting {key!r} cannot be {value!r}: {error.format_message()}") from error

    def _hint(self, key: str) -> str:
        names = [f"{command}.{option}" for command, options in self._options.items() for option in options]
        names += sorted({option for command in SHARED for option in self._options[command]})
        return did_you_mean(key, names, "see 'stream-sep live --help' for the options")


def config_path() -> Path:
    """Return the path of the file, which may not exist yet."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else config_folder() / "config.toml"


def read_config(path: Path | None = None) -> tomlkit.TOMLDocument:
    """Return the file's content; empty where there is none.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    path = path or config_path()
    if not is_reachable(path.parent):  # a service, or a container, whose user has no home
        return tomlkit.document()
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError, RecursionError) as error:
        raise ConfigError(f"cannot read {path}: {reason(error)}") from error


def settings_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each key, such as ``input`` or ``separate.format``, and its value.

    >>> list(settings_of({"input": "pulse", "separate": {"format": "flac"}}))
    [('input', 'pulse'), ('separate.format', 'flac')]
    """
    for name, value in document.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{option}", entry) for option, entry in value.items())
        else:
            yield name, value


def read_defaults(options: Options, path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the defaults of the file for typer: command -> parameter -> value.

    Raises:
        ConfigError: the file cannot be read, or contains an unknown setting or an invalid value.
    """
    path = path or config_path()
    defaults: dict[str, dict[str, Any]] = {}
    for key, value in sorted(settings_of(read_config(path).unwrap()), key=lambda setting: "." in setting[0]):
        try:
            options.check(key, value)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        for command, option in options.targets(key):
            name, default = options.default(command, option, value)
            defaults.setdefault(command, {})[name] = default
    return defaults


def _long_names(parameter: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    names = (name.removeprefix("--") for name in parameter.opts if name.startswith("--"))
    return (name for name in names if name not in _NOT_SETTINGS)


def _arguments(option: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    if isinstance(value, bool):
        yield f"--{option}" if value else f"--no-{option}"
    elif isinstance(value, list):
        for entry in value:
            yield f"--{option}={entry}"
    else:
        yield f"--{option}={value}"
