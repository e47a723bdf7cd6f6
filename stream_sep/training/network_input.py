"""Features and prior of a batch, the input of networks that correct `bands`; their state is carried to the next.

On a CPU compiled code measures them, a mix a thread; on a GPU torch does, all mixes at once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.separators.bands.state import BandsState as PriorState
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS, BandPrior
from stream_sep.separators.causal.features import FEATURES, FeatureExtractor, FeatureState
from stream_sep.training.torch_features import TorchFeatures
from stream_sep.training.torch_prior import TorchPrior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkConfig

M = TypeVar("M", FeatureState, PriorState)

InputState: TypeAlias = tuple[Tensor, Tensor]
"""States of the features and of the prior, float64 ``(batch, numbers)`` each."""

_ITEM_BYTES = 8  # of a number of a state that is kept as one array


class NetworkInput(Protocol):
    """Measures features and prior of batches."""

    def initial_state(self, batch: int) -> InputState:
        """Return the state before the first frame."""
        ...

    def measure(self, spectra: Tensor, turns: int, state: InputState) -> tuple[Tensor, Tensor, InputState]:
        """Return features and prior of the next hops, and the next state.

        Args:
            spectra: complex64 ``(batch, hops, 2, bins)``, mid and side.
            turns: hops of the prior in one of the features.
            state: the state before.

        Returns:
            Features, float32 ``(batch, hops / turns, FEATURES, points)``, prior, float32
            ``(batch, hops, PRIOR_CHANNELS, points)``, and the state.
        """
        ...


def open_input(size: NetworkConfig, played: NetworkConfig, device: torch.device) -> NetworkInput:
    """Return what measures on a device.

    Args:
        size: of the network's hops.
        played: of the hops in which it is played.
        device: of the training.
    """
    return TorchInput(size, played).to(device) if device.type == "cuda" else CompiledInput(size, played)


class CompiledInput:
    """Measures with the code that also plays, a mix a thread.

    Args:
        size: of the network's hops.
        played: of the hops in which it is played.
    """

    def __init__(self, size: NetworkConfig, played: NetworkConfig) -> None:
        self._features, self._prior = FeatureExtractor(size), BandPrior(played)

    def initial_state(self, batch: int) -> InputState:
        """Return the state before the first frame; see `NetworkInput`."""
        features, prior = self._features.initial_state(), self._prior.initial_state()
        return _repeated(features, batch), _repeated(prior, batch)

    def measure(self, spectra: Tensor, turns: int, state: InputState) -> tuple[Tensor, Tensor, InputState]:
        """Return features and prior of the next hops, and the next state; see `NetworkInput`."""
        mid_side, batch, hops = spectra.cpu().contiguous().numpy(), *spectra.shape[:2]
        features_after, prior_after = (each.cpu().numpy().copy() for each in state)
        network_input = mid_side[:, ::turns]
        features = np.zeros((*network_input.shape[:2], FEATURES, self._prior.points), np.float32)
        prior = np.zeros((batch, hops, PRIOR_CHANNELS, self._prior.points), np.float32)
        like = self._features.initial_state(), self._prior.initial_state()

        def compute(row: int) -> None:
            feature_state = _as_state(features_after[row], like[0])
            self._features.compute(network_input[row], feature_state, features[row], self._features.workspace())
            prior_state = _as_state(prior_after[row], like[1])
            self._prior.compute(mid_side[row], prior_state, prior[row], self._prior.workspace())

        threads = torch.get_num_threads() if spectra.device.type == "cpu" else os.cpu_count()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(compute, range(batch)))  # a list, to raise errors
        device = spectra.device
        after = torch.from_numpy(features_after), torch.from_numpy(prior_after)
        return torch.from_numpy(features).to(device), torch.from_numpy(prior).to(device), after


class TorchInput(nn.Module):
    """Measures with torch, on the device of its buffers: within 1e-4 of `CompiledInput`.

    Args:
        size: of the network's hops.
        played: of the hops in which it is played.
    """

    def __init__(self, size: NetworkConfig, played: NetworkConfig) -> None:
        super().__init__()
        self._features, self._prior = TorchFeatures(size), TorchPrior(played)

    def initial_state(self, batch: int) -> InputState:
        """Return the state before the first frame; see `NetworkInput`."""
        return self._features.initial_state(batch), self._prior.initial_state(batch)

    def measure(self, spectra: Tensor, turns: int, state: InputState) -> tuple[Tensor, Tensor, InputState]:
        """Return features and prior of the next hops, and the next state; see `NetworkInput`."""
        with torch.autocast(spectra.device.type, enabled=False):
            features, features_after = self._features(spectra[:, ::turns], state[0])
            prior, prior_after = self._prior(spectra, state[1])
        return features, prior, (features_after, prior_after)


def _repeated(state: tuple[NDArray[Any], ...], batch: int) -> Tensor:
    """Return a state as one array of eight bytes a number, for each mix."""
    held = [array.ravel().view(np.uint8) for array in state]
    flat = np.concatenate([np.pad(each, (0, -len(each) % _ITEM_BYTES)) for each in held]).view(np.float64)
    return torch.from_numpy(flat).expand(batch, -1)


def _as_state(flat: NDArray[np.float64], like: M) -> M:
    """Return a mix's part of what `_repeated` made, without a copy."""
    arrays: tuple[NDArray[Any], ...] = like
    ends = np.cumsum([-(-array.nbytes // _ITEM_BYTES) * _ITEM_BYTES for array in arrays])[:-1]
    whole = zip(np.split(flat.view(np.uint8), ends), arrays, strict=True)
    return type(like)(*(part[: to.nbytes].view(to.dtype).reshape(to.shape) for part, to in whole))
