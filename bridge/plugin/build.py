"""Compiles the plug-in: with the system's compiler for this machine, with `ziglang` for any.

One binary serves all formats. It depends on the C library only, so it can be copied to other machines.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGETS = {
    "linux-x86_64": "x86_64-linux-gnu.2.17",
    "linux-aarch64": "aarch64-linux-gnu.2.17",
    "windows-x86_64": "x86_64-windows-gnu",
    "windows-aarch64": "aarch64-windows-gnu",
    "macos-x86_64": "x86_64-macos.11.0",
    "macos-aarch64": "aarch64-macos.11.0",
}
"""System and processor -> target name of `ziglang`."""

WARNINGS = ("-Wall", "-Wextra")  # errors in tests alone: other compilers warn of other things
_FLAGS = (
    "-std=c++17",
    "-O2",
    "-ffp-contract=off",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-s",
)
_REMEDY = f"install a C++ compiler (on Debian: apt install g++), or {install_hint('plugin')}"


def this_system() -> str:
    """Return this machine's key in `TARGETS`.

    Raises:
        ConfigError: the plug-in does not support this machine.

    >>> this_system() in TARGETS
    True
    """
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if f"{system}-{machine}" not in TARGETS:
        raise ConfigError(f"the plug-in does not support {system} on {machine}; supported: {', '.join(TARGETS)}")
    return f"{system}-{machine}"


def shipped_binary(system: str) -> Path | None:
    """Return the binary that came with the wheel for a key of `TARGETS`, or None."""
    path = Path(str(files("bridge.plugin") / "binaries" / f"stream_sep-{system}"))
    return path if path.is_file() else None


def compile_plugin(out: Path, *, system: str | None = None, more: Sequence[str] = ()) -> None:
    """Compile the plug-in.

    Args:
        out: where to write the binary.
        system: a key of `TARGETS`; this machine, with its own compiler where it has one, unless given.
        more: further sources and flags, for tests.

    Raises:
        ConfigError: there is no compiler, or it fails.
    """
    command = [*_compiler(system), *_FLAGS, *WARNINGS, *more]
    with as_file(files("bridge.plugin") / "native") as native:
        out.parent.mkdir(parents=True, exist_ok=True)
        command += [f"-I{native}", *sorted(map(str, native.glob("*.cpp"))), "-o", str(out)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a compiler
    if run.returncode:
        raise ConfigError(f"{command[0]} cannot compile the plug-in: {run.stderr.strip()[-2000:]}; {_REMEDY}")


def _compiler(system: str | None) -> list[str]:
    own = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if system is None and own and sys.platform != "win32":
        return [own, *_own_flags()]
    if importlib.util.find_spec("ziglang") is None:
        raise ConfigError(f"there is no C++ compiler to build the plug-in with; {_REMEDY}")
    target = TARGETS[system or this_system()]
    return [sys.executable, "-P", "-m", "ziglang", "c++", "-target", target]


def _own_flags() -> list[str]:
    if sys.platform == "darwin":
        return []
    return ["-static-libstdc++", "-static-libgcc", "-pthread", "-Wl,--gc-sections,--exclude-libs,ALL"]
