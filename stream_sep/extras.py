"""The pip command that installs an optional extra, as every error message prints it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

_LARGE = ("demucs", "train", "checkpoints", "dev")
_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_PACKAGES = {
    "demucs": ("demucs", "filelock", "huggingface_hub"),
    "jack": ("jack",),
    "midi": ("rtmidi",),
    "effects": ("pedalboard",),
    "oscquery": ("zeroconf", "ifaddr"),
    "ray": ("ray",),
    "web-postgres": ("psycopg",),
    "web": (
        *("alembic", "anyio", "argon2", "fastapi", "pydantic", "segno"),
        *("sqlalchemy", "starlette", "uvicorn", "websockets"),
    ),
    "tui": ("textual",),
    "stretch": ("pylibrb",),
    "h5": ("h5py",),
    "checkpoints": ("pymss_core", "yaml"),
    "dev": ("playwright",),
    "train": ("matplotlib", "museval", "onnx", "onnxruntime", "pyworld", "safetensors", "tensorboard", "torch"),
}
"""Extra -> the modules that it installs and the code imports; the smallest extra where several do."""


def install_hint(*extras: str) -> str:
    """Return a hint for error messages: the command that installs extras for the running Python.

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


def missing_extra(error: ModuleNotFoundError) -> str:
    """Return a message about the extra that a failed import needs; empty if no extra installs the module.

    >>> missing_extra(ModuleNotFoundError(name="pedalboard.io"))  # doctest: +ELLIPSIS
    'this needs pedalboard, which is not installed; run: ...'
    """
    package = (error.name or "").partition(".")[0]
    extra = next((name for name, modules in _PACKAGES.items() if package in modules), "")
    return f"this needs {package}, which is not installed; {install_hint(extra)}" if extra else ""


def _requirement(extras: str) -> str:
    """Return the requirement for pip: this checkout, the original archive or repository, or the name."""
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
