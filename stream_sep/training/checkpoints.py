"""The whole state of a training on disk, so that it can resume after a kill."""

from __future__ import annotations

import hashlib
import io
import logging
from typing import TYPE_CHECKING, Any

import torch

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.lowlevel.atomic_file import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

NAME = "checkpoint.pt"

_PREVIOUS, _DAMAGED = ".1.pt", ".damaged.pt"
_MARK = b"sha256 of all before:"
_DIGEST_SIZE = 32

_log = logging.getLogger(__name__)


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write a training's state with its checksum, whole or not at all; the one before is kept as ``.1``.

    Args:
        folder: where to write.
        state: plain values and tensors.

    Raises:
        AudioFileError: the disk is full, or cannot be written; the earlier file stays.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    path = folder / NAME
    try:
        if path.exists():
            atomic_write(path.with_suffix(_PREVIOUS), path.read_bytes())
        atomic_write(path, data + _MARK + hashlib.sha256(data).digest())
    except OSError as error:
        why = f"cannot write {path}: {error.strerror}; the checkpoint before is still there"
        raise AudioFileError(f"{why}; free some space, and run it again to resume") from error


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the newest undamaged state, or None without a checkpoint.

    A damaged one is set aside, so that it does not replace the one before it.

    Args:
        folder: where to read.
        device: a torch device for the tensors.

    Raises:
        ConfigError: there are some, but none can be read.
    """
    newest = folder / NAME
    paths = [path for path in (newest, newest.with_suffix(_PREVIOUS)) if path.exists()]
    for path in paths:
        state = _load(path, device)
        if state is not None:
            return state
        if path == newest:
            newest.replace(newest.with_suffix(_DAMAGED))
            _log.warning("%s is damaged; the one before it is tried", path)
    if paths:
        raise ConfigError(f"no checkpoint in {folder} can be read; start over with --restart, or take another --out")
    return None


def _load(path: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state in a file, or None if it is damaged; files of versions without checksums are not checked."""
    try:
        data = path.read_bytes()
        mark = len(data) - len(_MARK) - _DIGEST_SIZE
        if data[mark : mark + len(_MARK)] == _MARK:
            if hashlib.sha256(data[:mark]).digest() != data[mark + len(_MARK) :]:
                return None
            data = data[:mark]
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file can fail in any way
        _log.debug("%s cannot be read: %s", path, error)
        return None
    return state
