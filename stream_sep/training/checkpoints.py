"""A training's whole state on disk, so that it goes on after a kill as if nothing had been."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import torch

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.weights import write_whole

if TYPE_CHECKING:
    from pathlib import Path

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write a training's state, whole or not at all; the one before is kept as ``.1``."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path = folder / NAME
    if path.exists():
        write_whole(path.with_suffix(".1.pt"), path.read_bytes())
    write_whole(path, buffer.getvalue())


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the newest state that can be read, or None where there is none.

    Raises:
        ConfigError: there are some, but none can be read.
    """
    paths = [path for path in (folder / NAME, (folder / NAME).with_suffix(".1.pt")) if path.exists()]
    for path in paths:
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError):
            continue
        return state
    if paths:
        raise ConfigError(f"no checkpoint in {folder} can be read; begin anew with --fresh, or name another folder")
    return None
