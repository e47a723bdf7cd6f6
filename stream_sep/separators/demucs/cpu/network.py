"""A Demucs whose layers are computed faster: most of it in bfloat16, and some of its layers in another order.

Kept in float32: the sums between layers, all norms, and the layers that a caller names.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

from stream_sep.separators.demucs.cpu.layers import accelerated_forward, inverse_spectra


def accelerate_for_cpu(network: Any, full: tuple[str, ...]) -> Any:  # noqa: ANN401 - torch modules are untyped here
    """Return a twin of a network that computes faster; the network itself stays as it is.

    Args:
        network: a Hybrid Transformer Demucs.
        full: name prefixes of the layers kept in float32; an empty one keeps all.
    """
    twin = shared_copy(network)
    replaced: tuple[str, ...] = ()
    for name, module in twin.named_modules():
        if name.startswith(replaced):
            continue
        forward = accelerated_forward(module, half=not name.startswith(full))
        if forward is not None:
            module.forward = forward
            replaced = (*replaced, f"{name}.")
    if twin.cac:
        twin._mask, twin._ispec = (lambda _mix, parts: parts), inverse_spectra(twin)  # noqa: SLF001 - Demucs' own steps
    return twin


def without_training_segment(network: Any) -> Any:  # noqa: ANN401 - as above
    """Return a network, accelerated or not, that does not pad windows shorter than those of its training."""
    twin = copy.copy(network)
    twin.use_train_segment = False
    return twin


def shared_copy(network: Any) -> Any:  # noqa: ANN401 - as above
    """Return a copy of a network's layers, over the same weights."""
    return copy.deepcopy(network, {id(held): held for held in chain(network.parameters(), network.buffers())})
