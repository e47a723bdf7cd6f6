"""Logging: warnings and details to standard error, and to a log file if one is given."""

from __future__ import annotations

import logging
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from stream_sep.errors import ConfigError

_PACKAGES = ("stream_sep", "bridge")
_SHOWN = "stream_sep.shown"
_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def log_options(
    *,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, show_default=False, help="print details; -vv prints more")
    ] = 0,
    log_file: Annotated[Path | None, typer.Option(help="append details to this file", show_default=False)] = None,
) -> None:
    """Set up logging from the common options.

    Raises:
        ConfigError: the file cannot be written.
    """
    set_up_logging(verbose, log_file)


def set_up_logging(verbose: int, file: Path | None = None) -> None:
    """Send warnings to standard error, with more details the higher ``verbose``, and everything to ``file``."""
    screen = logging.StreamHandler()
    screen.setFormatter(_ConsoleFormatter())
    screen.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    screen.addFilter(lambda record: record.name != _SHOWN)
    handlers: list[logging.Handler] = [screen]
    if file is not None:
        handlers.append(_open(file))
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers[:] = handlers
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    logging.getLogger(_SHOWN).info("%s, started as: %s", describe_versions(), " ".join(sys.argv))


def is_verbose() -> bool:
    """Whether ``--verbose`` was given."""
    return any(
        handler.level <= logging.INFO and not isinstance(handler, logging.FileHandler)
        for handler in logging.getLogger(_PACKAGES[0]).handlers
    )


def log_shown(message: str) -> None:
    """Write to the log file a message that is shown to the user by other means."""
    logging.getLogger(_SHOWN).info(message)


def describe_versions() -> str:
    """Return the versions that a bug report needs, in one line."""
    python, numba, numpy = platform.python_version(), version("numba"), version("numpy")
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"stream-sep {version('stream-sep')} (Python {python}, Numba {numba}, NumPy {numpy}, {system})"


def _open(file: Path) -> logging.Handler:
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the log file {file}: {error.strerror}; choose another --log-file") from error
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler


class _ConsoleFormatter(logging.Formatter):
    """Formats a record like all messages on standard error: ``stream-sep: warning: ...``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the traceback if the record has one."""
        return f"stream-sep: {record.levelname.lower()}: {super().format(record)}"
