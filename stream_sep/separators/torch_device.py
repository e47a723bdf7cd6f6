"""Where and with how many threads torch computes."""

from __future__ import annotations

import os

from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint


def prepare_torch(device: str = "auto", threads: int | None = None) -> str:
    """Set torch's threads, and return the device to compute on.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for the fastest that is here.
        threads: CPU threads, of the whole process; torch's own choice unless given.

    Raises:
        ConfigError: torch is not installed or does not find the device, or there are fewer threads than one.
    """
    # Before torch is first loaded, or it has no effect: threads that wait by spinning take the cores from each other
    # where other programs run too (measured: with one busy program beside it, 1.1 s a window in place of 1.8 s).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import torch  # noqa: PLC0415 - heavy, and only here when a model is
    except ImportError as error:
        raise ConfigError(f"this model needs torch ({error}); {install_hint('train')}") from error

    if threads is not None:
        if threads < 1:
            raise ConfigError(f"torch needs at least 1 thread, not {threads}")
        torch.set_num_threads(threads)
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, present in here.items() if present)
    if not here.get(device.partition(":")[0], False):
        raise ConfigError(f"torch finds no device {device!r} here; it has: {', '.join(n for n in here if here[n])}")
    return device
