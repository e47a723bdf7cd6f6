"""The pip command that installs an optional extra, as every error message prints it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

_LARGE = ("demucs", "train", "checkpoints", "dev")
_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def install_hint(*extras: str) -> str:
    """Return the end of a sentence: the command that installs extras for the Python that runs.

    It works in any shell, keeps a checkout editable, and warns where it would download gigabytes.

    >>> print(install_hint("effects"))  # doctest: +ELLIPSIS
    run: ...python... -m pip install ...[effects]"
    """
    python = _quoted(sys.executable or "python")
    command = f"run: {python} -m pip install {_requirement(','.join(extras))}"
    if sys.platform == "linux" and set(extras) & set(_LARGE) and find_spec("torch") is None:
        return (
            f"{command} (this downloads over 2 GB for CUDA; for the CPU alone, about 200 MB, first "
            f"run: {python} -m pip install torch --index-url {_CPU_INDEX})"
        )
    return command


def _requirement(extras: str) -> str:
    """Return what pip is to install: this checkout, the archive or repository we came from, or the name."""
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file() and (checkout / "stream_sep").is_dir():
        return f'--editable "{checkout}[{extras}]"'
    if origin := _origin():
        return f'"stream-sep[{extras}] @ {origin}"'
    return f'"stream-sep[{extras}]"'


def _origin() -> str:
    """Return the address that pip installed us from; empty where that is a package index."""
    try:
        noted = Distribution.from_name("stream-sep").read_text("direct_url.json")
        direct = json.loads(noted or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    version_control = direct.get("vcs_info")
    if version_control:
        return f"{version_control['vcs']}+{direct['url']}@{version_control['commit_id']}"
    return str(direct.get("url", ""))


def _quoted(path: str) -> str:
    """Return a program's path as any shell takes it; PowerShell runs a quoted one only after an ampersand."""
    if " " not in path:
        return path
    return f'& "{path}"' if sys.platform == "win32" else f'"{path}"'
