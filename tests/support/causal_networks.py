"""Inputs of causal networks, and one whose output is chosen."""

import json
from dataclasses import asdict

import numpy as np

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.causal.weights import KIND
from stream_sep.separators.weight_file import WeightStats, with_digest


def noise(frames, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)


def no_hints(runtime):
    return np.zeros((1, PRIOR_CHANNELS, plan_band_layout(runtime.size).points), np.float32)


def spectrum(runtime, seed=0):
    return noise(2 * runtime.size.bins, seed)[None].view(np.complex64)


def save_weights(network, file):
    """Write a network's weights without source groups, as the first versions did."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    file.write_bytes(with_digest(tensors, {"kind": KIND, "size": json.dumps(asdict(network.size))}))


def save_random(size, file):
    import torch  # noqa: PLC0415 - heavy

    from stream_sep.separators.causal.network import CausalNetwork  # noqa: PLC0415 - heavy

    with torch.random.fork_rng(devices=[]):
        save_weights(CausalNetwork(size), file)
    return file


class RecordingRuntime:
    """A runtime that records the stages it runs; its output is ``certain`` or, if None, its prior's first value."""

    def __init__(self, size, *, certain=0.0):
        self.size, self.weights, self.stages, self.certain = size, WeightStats(0, 0), [], certain

    def initial_state(self):
        return [(), *[(np.zeros(1, np.float32),)] * self.size.blocks]

    def run_stage(self, number, *given):
        self.stages.append(number)
        if number == 0:
            return (given[1],)
        x, memory = given
        if number < self.size.blocks:
            return given
        messages = np.zeros((1, 1, 2, OUTPUT_CHANNELS, plan_band_layout(self.size).points), np.float32)
        messages[:, :, :, 0] = x.flat[0] if self.certain is None else self.certain
        return messages, memory
