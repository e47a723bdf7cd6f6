"""Processes that train one network together, each on its own device: ``torchrun`` or ``accelerate launch``.

Every process draws its share of a batch; gradients are averaged before each step, so that all keep the same weights.
The first process alone keeps time, validates and writes.
"""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Distributed:
    """The place of this process in a distributed training; alone unless a launcher started several.

    Args:
        rank: this process's number, from 0.
        size: number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def join(cls) -> Distributed:
        """Join the processes that a launcher has started with this one, from its environment variables."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        joined = cls(int(os.environ["RANK"]), size)
        if not dist.is_initialized():
            # An optimizer imports it anyway. Imported while a process group exists, it keeps a reference to the
            # group, which then outlives `shutdown`; its threads abort a process in which they free a tensor while
            # Python exits.
            import torch._dynamo  # noqa: PLC0415 - it takes a second, and only here does its time matter

            dist.init_process_group()  # gloo for the CPU and nccl for GPUs, whichever the training is on
            if not torch.cuda.is_available():  # nccl would wait for processes that an error has ended
                atexit.register(joined.shutdown)
        return joined

    @property
    def is_main(self) -> bool:
        """Whether this process keeps time, validates and writes."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return the device for this process, of those of ``name``: ``cpu``, ``cuda`` or ``auto``.

        Raises:
            ConfigError: there is none.
        """
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if name.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError(f"torch finds no device {name!r} here; use --device cpu")
        device = torch.device(name)
        if self.size > 1 and device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        return device

    def local_batch(self, batch: int) -> int:
        """Return how many mixes of a batch are this process's.

        Raises:
            ConfigError: they cannot be shared out evenly.
        """
        if batch % self.size:
            raise ConfigError(f"a batch of {batch} cannot be shared by {self.size} processes; make it a multiple")
        return batch // self.size

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by the mean of all processes' ones."""
        if self.size == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        together = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(together)
        at = 0
        for gradient in gradients:
            gradient.copy_(together[at : at + gradient.numel()].view_as(gradient) / self.size)
            at += gradient.numel()

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def first(self, value: float, device: torch.device) -> float:
        """Return the first process's value.

        Args:
            value: this process's value.
            device: a torch device for the exchange.
        """
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared)

    def any(self, *, value: bool, device: torch.device) -> bool:
        """Return whether the value of any process is true.

        Args:
            value: this process's value.
            device: a torch device for the exchange.
        """
        if self.size == 1:
            return value
        highest = torch.tensor([float(value)], device=device)
        dist.all_reduce(highest, dist.ReduceOp.MAX)
        return bool(highest)

    def shutdown(self) -> None:
        """Leave the process group."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()
