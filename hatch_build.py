"""Adds compiled plug-ins to a release wheel, where ``STREAM_SEP_BUILD_PLUGIN`` asks for them.

``STREAM_SEP_BUILD_PLUGIN=all pip wheel --no-deps .`` has those of every system; a list of systems, as
``linux-x86_64,windows-x86_64``, has these. pip installs the compiler for the build alone.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).parent
_VARIABLE = "STREAM_SEP_BUILD_PLUGIN"


class PluginBinaries(BuildHookInterface):
    """Compiles the plug-in for other systems and this one."""

    PLUGIN_NAME = "custom"
    _folder: str | None = None

    def dependencies(self) -> list[str]:
        """Return what a build with plug-ins needs besides hatchling."""
        return ["ziglang>=0.13"] if os.environ.get(_VARIABLE) else []

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel include the binaries; it stays one for every system."""
        wanted = os.environ.get(_VARIABLE)
        if not wanted:
            return
        sys.path.insert(0, str(_ROOT))
        from bridge.plugin.build import TARGETS, compile_plugin  # noqa: PLC0415 - not needed by other builds

        self._folder = mkdtemp()
        for system in TARGETS if wanted in {"1", "all"} else wanted.split(","):
            out = Path(self._folder) / f"stream_sep-{system}"
            compile_plugin(out, system=system)
            build_data["force_include"][str(out)] = f"bridge/plugin/binaries/{out.name}"

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Remove the binaries, which the wheel has."""
        if self._folder:
            shutil.rmtree(self._folder)
