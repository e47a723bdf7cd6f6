"""A runtime of causal networks in PyTorch, to compare `CompiledRuntime` with."""

import torch

from stream_sep.separators.causal.config import states_by_stage
from stream_sep.separators.causal.weights import load_weights
from stream_sep.separators.weight_file import WeightStats, count_weights


class TorchRuntime:
    """Runs a network with PyTorch, several times slower than compiled code."""

    def __init__(self, path):
        self._network = load_weights(path)
        self.weights = WeightStats(count_weights(self._network), path.stat().st_size)
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        self.size = self._network.size

    def initial_state(self):
        return states_by_stage(self.size, [state.numpy() for state in self._network.initial_state()])

    def run_stage(self, number, *inputs):
        with torch.inference_mode():  # of copies, as an output may be a view of an input
            outputs = self._network.run_stage(number, *map(torch.tensor, inputs))
            return tuple(output.numpy() for output in outputs)
