"""Whether this machine gains by bfloat16: what separates songs, and what trains, asks before it uses it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_GAIN = 1.3  # it has to be so much faster at one product of matrices to be worth its rounding


def has_fast_bf16() -> bool:
    """Tell whether this machine multiplies matrices of bfloat16 much faster than of float32; takes about 50 ms."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    seconds = {torch.float32: np.inf, torch.bfloat16: np.inf}
    for _ in range(6):  # in turn, as other programs come and go
        for kind, least in seconds.items():
            matrix = torch.ones(768, 768, dtype=kind)
            seconds[kind] = min(least, _seconds(partial(torch.mm, matrix, matrix)))
    return seconds[torch.float32] > _GAIN * seconds[torch.bfloat16]


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
