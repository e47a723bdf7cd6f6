"""Whether bfloat16 is fast enough on this machine to be used for separation and training."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_GAIN = 1.3  # speed-up of a matrix product that is worth the rounding


def has_fast_bf16() -> bool:
    """Return whether bfloat16 matrix products are much faster than float32 here; takes about 50 ms."""
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
