"""Networks as a training sees them: sound in, stems out, many hops at once, with a state to go on from."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.lab.hs_tasnet import HsTasnet
from stream_sep.models.hints import GUESSES, HINTS, HintMeter
from stream_sep.models.masks import MASKED, SHARE
from stream_sep.models.network import CausalNetwork
from stream_sep.models.size import size_from
from stream_sep.models.windows import analysis_and_synthesis
from stream_sep.separators.bands_memory import Memory as HintMemory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.models.size import NetworkSize

Memory: TypeAlias = tuple[Tensor, ...]
"""What a network remembers of a batch; the batch is axis 0 of the first tensor."""


class Trainee(Protocol):
    """A network in training, whatever its kind.

    It is given ``past + hops * hop`` frames and separates ``(hops - 1) * hop`` of them, those from ``start`` on.
    """

    hop: int
    past: int
    start: int

    def fresh_state(self, batch: int) -> Memory:
        """Return the state before the first frame."""
        ...

    def separate(self, mix: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return stems ``(batch, 4, 2, (hops - 1) * hop)`` of a mix ``(batch, 2, past + hops * hop)``."""
        ...


class CausalTrainee(nn.Module):
    """Runs a causal network over a stretch of sound, exactly as `CausalSeparator` does hop by hop.

    Args:
        size: the network's.
    """

    analysis: Tensor
    synthesis: Tensor
    point_of_bin: Tensor

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.network = CausalNetwork(size)
        self.hop = size.hop
        self.past = size.window - size.hop + size.lookahead * size.hop
        self.start = size.window - size.fade
        self._lookahead, self._window, self._fade = size.lookahead, size.window, size.fade
        self._meter = HintMeter(size)
        analysis, synthesis = analysis_and_synthesis(size.window, size.hop, size.fade)
        self.register_buffer("analysis", torch.from_numpy(analysis), persistent=False)
        self.register_buffer("synthesis", torch.from_numpy(synthesis), persistent=False)
        self.register_buffer("point_of_bin", torch.from_numpy(self.network.plan.point_of_bin), persistent=False)

    def fresh_state(self, batch: int) -> Memory:
        """Return the state before the first frame: the network's, and what the meter of hints remembers."""
        heard = torch.from_numpy(_flat(self._meter.fresh_memory())).expand(batch, -1)
        return *self.network.fresh_state(batch), heard.to(self.analysis.device)

    def separate(self, mix: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return stems and the state to go on with; see `Trainee.separate`."""
        middle = torch.stack([mix[:, 0] + mix[:, 1], mix[:, 0] - mix[:, 1]], dim=1) / 2
        frames = middle.unfold(-1, self._window, self.hop) * self.analysis
        spectra = torch.fft.rfft(frames).transpose(1, 2)  # (batch, hops, 2, bins)
        given = torch.view_as_real(spectra).transpose(-1, -2).flatten(2, 3)
        *before, heard = state
        hints, heard = self._hints(spectra, heard)
        corrections, after = self.network(given, hints, tuple(before))
        masks = _masks(corrections.float(), hints)  # a half-precision training computes all but the sound in it
        kept = spectra[:, : spectra.shape[1] - self._lookahead, None]
        parts = masks[:, self._lookahead :, ..., self.point_of_bin] * kept
        return self._residual(self._overlap(torch.fft.irfft(parts)), mix), (*after, heard)

    @torch.no_grad()
    def _hints(self, spectra: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Return hints for the masks of all hops, and the memory to go on with, measured by the CPU."""
        batch, hops = spectra.shape[:2]
        given, memory = spectra.cpu().contiguous().numpy(), heard.cpu().numpy().copy()
        hints = np.zeros((batch, self._lookahead + hops, HINTS, self._meter.points), np.float32)
        fresh = self._meter.fresh_memory()
        threads = torch.get_num_threads() if spectra.device.type == "cpu" else os.cpu_count()
        with ThreadPoolExecutor(threads) as pool:
            measured = [
                pool.submit(self._meter.measure, row, _as_memory(flat, fresh), into, self._meter.scratch())
                for row, flat, into in zip(given, memory, hints[:, self._lookahead :], strict=True)
            ]
            for each in measured:
                each.result()
        device = spectra.device
        return torch.from_numpy(hints[:, :hops]).to(device), torch.from_numpy(memory).to(device)

    def _overlap(self, frames: Tensor) -> Tensor:
        """Return left and right, ``(batch, 3, 2, (hops - 1) * hop)``, of windows of mid and side."""
        faded = frames[..., -len(self.synthesis) :] * self.synthesis
        first = faded[:, 1:, ..., : self.hop]
        tail = nn.functional.pad(faded[:, :-1, ..., self.hop :], (0, self.hop - self._fade))
        sound = (first + tail).permute(0, 2, 3, 1, 4).flatten(-2)
        mid, side = sound[:, :, 0], sound[:, :, 1]
        return torch.stack([mid + side, mid - side], dim=2)

    def _residual(self, stems: Tensor, mix: Tensor) -> Tensor:
        rest = mix[..., self.start : self.start + stems.shape[-1]] - stems.sum(dim=1)
        return torch.cat([stems, rest[:, None]], dim=1)


def _flat(memory: HintMemory) -> NDArray[np.float64]:
    """Return a memory as one array, of eight bytes a number."""
    return np.concatenate([array.ravel().view(np.float64) for array in memory])


def _as_memory(flat: NDArray[np.float64], like: HintMemory) -> HintMemory:
    """Return what `_flat` made of a memory as one again; it is the same numbers, not a copy."""
    parts = np.split(flat, np.cumsum([array.size for array in like])[:-1])
    return HintMemory(*(part.view(to.dtype).reshape(to.shape) for part, to in zip(parts, like, strict=True)))


def _masks(corrections: Tensor, hints: Tensor) -> Tensor:
    """Return complex masks, ``(batch, hops, 3, 2, points)``: `apply_corrections` of many hops, for gradients."""
    logits, imaginary = corrections[:, :, :, : MASKED + 1], corrections[:, :, :, MASKED + 1 :]
    guess = hints[:, :, :GUESSES].reshape(*hints.shape[:2], 2, MASKED, -1)
    likely = torch.softmax(logits + nn.functional.pad(guess, (0, 0, 0, 1)), dim=3)
    real = likely[:, :, :, :MASKED] + SHARE * logits[:, :, :, :MASKED]
    return torch.complex(real, SHARE * imaginary).transpose(2, 3)


def make_trainee(kind: str, values: dict[str, Any]) -> CausalTrainee | HsTasnet:
    """Build a network of random weights from the table ``[network]`` of a config.

    Raises:
        ConfigError: there is no such kind, or a value that makes no sense.
    """
    if kind == "causal":
        return CausalTrainee(size_from(values))
    if kind == "hs-tasnet":
        return HsTasnet.from_table(values)
    raise ConfigError(f"there is no network of the kind {kind!r}; one of: causal, hs-tasnet")


assert MASKED == 3, "the rest of a mix is the fourth stem"
