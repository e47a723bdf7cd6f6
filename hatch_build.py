"""Adds the plug-in for every system to a release wheel, where ``STREAM_SEP_BUILD_PLUGIN=1`` asks for it.

Needs `ziglang` beside hatchling: ``STREAM_SEP_BUILD_PLUGIN=1 python -m build --wheel --no-isolation``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).parent


class PluginBinaries(BuildHookInterface):
    """Compiles the plug-in for all systems."""

    PLUGIN_NAME = "custom"

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel include what came out; it stays one for every system."""
        if os.environ.get("STREAM_SEP_BUILD_PLUGIN") != "1":
            return
        sys.path.insert(0, str(_ROOT))
        from bridge.plugin.build import TARGETS, compile_plugin  # noqa: PLC0415 - not needed by other builds

        folder = Path(mkdtemp())
        for system in TARGETS:
            out = folder / f"stream_sep-{system}"
            compile_plugin(out, system=system)
            build_data["force_include"][str(out)] = f"bridge/plugin/binaries/{out.name}"
