"""Whether torch has so few threads that our code, which has one, is faster than its own."""

from __future__ import annotations

MAX_THREADS = 2
"""Threads of torch that one of ours is faster than, at layers that wait for memory."""


def use_single_thread_kernels() -> bool:
    """Return whether torch computes with at most `MAX_THREADS` threads in the calling thread."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    return bool(torch.get_num_threads() <= MAX_THREADS)
