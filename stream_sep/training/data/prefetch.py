"""Batches for a GPU from samples on the disk: cut by threads on the CPU while the GPU computes those before."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from stream_sep.training.data.remix import Batch, RemixSampler

if TYPE_CHECKING:
    from concurrent.futures import Future

    from stream_sep.training.data.remix import MixConfig
    from stream_sep.training.data.store import StemDataset

AHEAD = 4
"""Batches that are cut in advance, each in a thread: enough for the CPU's cores, and bounded in memory."""


class PrefetchingSampler:
    """Draws batches as `RemixSampler` does, some of them in advance.

    Every step has its own random generator, so that neither the order in which threads finish nor a stop of the
    training changes a batch.

    Args:
        dataset: the songs, on the disk.
        config: how to mix them.
        seed: of all batches.
        first_step: number of the first batch.
    """

    def __init__(self, dataset: StemDataset, config: MixConfig, seed: int, first_step: int = 0) -> None:
        self._dataset, self._config, self._seed, self._step = dataset, config, seed, first_step
        self._pool = ThreadPoolExecutor(AHEAD, "crops")
        self._pending: deque[Future[Batch]] = deque()
        self._shape = (0, 0)

    def sample(self, batch: int, frames: int) -> Batch:
        """Return the batch of the next step, on the data set's device.

        Args:
            batch: number of mixes.
            frames: length of each.

        Raises:
            ConfigError: a cache was changed or is damaged.
        """
        if self._shape != (batch, frames):
            self._shape = (batch, frames)
            self._cancel()
        while len(self._pending) < AHEAD:
            self._pending.append(self._pool.submit(self._cut, self._step + len(self._pending), batch, frames))
        cut = self._pending.popleft().result()
        self._step += 1
        device = self._dataset.device
        return Batch(*(each.to(device, non_blocking=True) for each in cut))

    def _cut(self, step: int, batch: int, frames: int) -> Batch:
        sampler = RemixSampler(self._dataset, self._config, step_generator(self._seed, step))
        cut = sampler.sample(batch, frames)
        return Batch(*(each.pin_memory() for each in cut)) if self._dataset.device.type == "cuda" else cut

    def _cancel(self) -> None:
        for future in self._pending:
            future.cancel()
        self._pending.clear()


def step_generator(seed: int, step: int) -> torch.Generator:
    """Return the random generator of a step.

    Args:
        seed: of the training.
        step: its number.
    """
    mixed = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed[0] >> np.uint64(1)))


def open_sampler(
    dataset: StemDataset, config: MixConfig, random: torch.Generator, seed: int, first_step: int
) -> RemixSampler | PrefetchingSampler:
    """Return the sampler for where the samples are.

    Args:
        dataset: the songs.
        config: how to mix them.
        random: the training's generator, for samples on the device of the training.
        seed: of the batches otherwise.
        first_step: number of the first batch.
    """
    if dataset.whole.device.type == dataset.device.type:
        return RemixSampler(dataset, config, random)
    return PrefetchingSampler(dataset, config, seed, first_step)
