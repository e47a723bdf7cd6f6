"""Where the samples of a data set are: in a GPU's memory if they fit in a share of it, on the disk otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARE = 0.5
"""Share of a GPU's free memory that samples may take; the rest is for the network, its gradients and a batch."""

_FRAME_BYTES = 4  # int16, two channels
_GB = 1e9


def sample_bytes(frames: Iterable[int]) -> int:
    """Return the memory that samples take.

    Args:
        frames: length of each song of each stem.
    """
    return _FRAME_BYTES * sum(frames)


def fits(needed: int, free: int | None) -> bool:
    """Return whether samples go into a GPU's memory.

    Args:
        needed: their bytes.
        free: bytes that are free there; None if that is unknown, which leaves them on the disk.

    >>> fits(10, 20), fits(11, 20), fits(0, None)
    (True, False, False)
    """
    return free is not None and needed <= SHARE * free


def free_memory(device: torch.device) -> int | None:
    """Return the free bytes of a GPU's memory; None if that is unknown."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def notice(needed: int, free: int | None, device: torch.device) -> str:
    """Return the message about samples that stay on the disk.

    Args:
        needed: their bytes.
        free: bytes that are free in the GPU's memory; None if unknown.
        device: the GPU.
    """
    room = "an unknown size of memory" if free is None else f"{free / _GB:.3g} GB of memory"
    return (
        f"samples of {needed / _GB:.3g} GB stay on the disk, as {device} has {room} free, of which they may take "
        f"{SHARE:.0%}; the CPU cuts the crops"
    )
