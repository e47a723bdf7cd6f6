"""The socket and the files that the plug-in and its host share; native/platform_*.cpp has the same paths."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from stream_sep.folders import config_folder

SOCKET_VARIABLE = "STREAM_SEP_PLUGIN_SOCKET"
"""Socket between plug-in and host; on Windows, the pipe."""
COMMAND_VARIABLE = "STREAM_SEP_PLUGIN_COMMAND"
"""File with the command that starts the host of the plug-in."""


def socket_address() -> str:
    """Return the path of the host's socket; on Windows the name of its pipe."""
    given = os.environ.get(SOCKET_VARIABLE)
    if given:
        return given
    if sys.platform == "win32":
        user = os.environ.get("USERNAME") or getpass.getuser()  # the plug-in reads this variable alone
        return rf"\\.\pipe\stream-sep-{user}"
    return str(_runtime_folder() / "plugin.sock")


def command_file() -> Path:
    """Return the file with the command that starts the host, one argument a line."""
    given = os.environ.get(COMMAND_VARIABLE)
    return Path(given) if given else config_folder() / "plugin-host"


def log_file() -> Path:
    """Return the file with the output of the host that the plug-in started last."""
    command = command_file()
    return command.with_name(command.name + ".log")


def _runtime_folder() -> Path:
    if sys.platform == "darwin":
        return config_folder()
    given = os.environ.get("XDG_RUNTIME_DIR")
    return (Path(given) if given else Path.home() / ".cache") / "stream-sep"
