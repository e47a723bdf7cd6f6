"""Networks as a training sees them: sound in, stems out, many hops at once, with a state to go on from."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.separators.bands.state import Memory as HintMemory
from stream_sep.separators.causal.band_prior import GUESSES, HINTS, HintMeter
from stream_sep.separators.causal.config import size_from
from stream_sep.separators.causal.features import FEATURES, FeatureMemory, FeatureMeter
from stream_sep.separators.causal.masks import MASKED, SHARE
from stream_sep.separators.causal.network import CausalNetwork
from stream_sep.separators.causal.staggered_inference import hops_late
from stream_sep.separators.causal.windows import analysis_and_synthesis
from stream_sep.training.baselines.hs_tasnet import HsTasnet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkSize

M = TypeVar("M", FeatureMemory, HintMemory)

_EIGHT = 8  # bytes of a number of a memory that is kept as one array

Memory: TypeAlias = tuple[Tensor, ...]
"""What a network remembers of a batch; the batch is axis 0 of the first tensor."""


class Trainee(Protocol):
    """A network in training, whatever its kind.

    It is given ``past + hops * hop`` frames and separates all but the last of the hops, which may be shorter where it
    plays in shorter ones, from frame ``start`` on.
    """

    hop: int
    past: int
    start: int

    def fresh_state(self, batch: int) -> Memory:
        """Return the state before the first frame."""
        ...

    def separate(self, mix: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return stems ``(batch, 4, 2, frames)`` of a mix ``(batch, 2, past + hops * hop)``."""
        ...


def shared_part(sounds: Sequence[tuple[Tensor, int]], start: int) -> list[Tensor]:
    """Return what sounds have in common from frame ``start`` on, each of which begins at a frame of its own."""
    end = min(begin + sound.shape[-1] for sound, begin in sounds)
    return [sound[..., start - begin : end - begin] for sound, begin in sounds]


class CausalTrainee(nn.Module):
    """Runs a causal network over a stretch of sound, exactly as `CausalSeparator` does hop by hop.

    Args:
        size: the network's.
        network: it; one of random weights unless given.
        play_hop: frames of the hops in which it is played, as of `CausalSeparator`; 0 for its own. What it answered
            last is not in its state: shorter hops begin without an answer.

    Raises:
        ConfigError: it cannot be played in such hops.
    """

    analysis: Tensor
    synthesis: Tensor
    point_of_bin: Tensor

    def __init__(self, size: NetworkSize, network: CausalNetwork | None = None, play_hop: int = 0) -> None:
        super().__init__()
        self.network = network or CausalNetwork(size)
        played = _played(size, play_hop or size.hop)
        self.hop = size.hop
        self.past = size.window - played.hop + size.lookahead * size.hop
        self.start = size.window - played.fade
        self._turns = size.hop // played.hop
        self._late = hops_late(size, self._turns)
        self._lookahead, self._window, self._hop, self._fade = size.lookahead, size.window, played.hop, played.fade
        self._meter, self._features = HintMeter(played), FeatureMeter(size)
        analysis, synthesis = analysis_and_synthesis(size.window, played.hop, played.fade)
        self.register_buffer("analysis", torch.from_numpy(analysis), persistent=False)
        self.register_buffer("synthesis", torch.from_numpy(synthesis), persistent=False)
        self.register_buffer("point_of_bin", torch.from_numpy(self.network.plan.point_of_bin), persistent=False)

    def fresh_state(self, batch: int) -> Memory:
        """Return the state before the first frame: what the meters remember, and the network."""
        memories = [self._features.fresh_memory(), self._meter.fresh_memory()]
        flat = [torch.from_numpy(_flat(each)).expand(batch, -1).to(self.analysis.device) for each in memories]
        return *flat, *self.network.fresh_state(batch)

    def separate(self, mix: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return stems and the state to go on with; see `Trainee.separate`."""
        middle = torch.stack([mix[:, 0] + mix[:, 1], mix[:, 0] - mix[:, 1]], dim=1) / 2
        frames = middle.unfold(-1, self._window, self._hop) * self.analysis
        spectra = torch.fft.rfft(frames).transpose(1, 2)  # (batch, hops, 2, bins), of the hops that are played
        features, hints, *measured = self._measure(spectra, *state[:2])
        masks, after = self._mask(features, hints, state[2:])
        kept = spectra[:, : spectra.shape[1] - self._lookahead, None]
        parts = masks[:, self._lookahead :, ..., self.point_of_bin] * kept
        return self._residual(self._overlap(torch.fft.irfft(parts)), mix), (*measured, *after)

    def _mask(self, features: Tensor, hints: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return complex masks, ``(batch, hops, 3, 2, points)``, and the state to go on with."""
        return self._masks_by(self.network, features, hints, state)

    def _masks_by(
        self, network: CausalNetwork, features: Tensor, hints: Tensor, state: Memory
    ) -> tuple[Tensor, Memory]:
        """Return what a network makes of the guesses, each corrected by its last answer, and its state."""
        corrections, after = network(features, hints[:, :: self._turns], state)
        held = corrections.float().repeat_interleave(self._turns, dim=1)  # half precision computes all but the sound
        said = nn.functional.pad(held, (0, 0, 0, 0, 0, 0, self._late, 0))[:, : hints.shape[1]]
        return masks_of(said, hints), after

    @torch.no_grad()
    def _measure(self, spectra: Tensor, seen: Tensor, heard: Tensor) -> tuple[Tensor, ...]:
        """Return features of all hops, hints for their masks, and both memories to go on with; by the CPU."""
        given, batch, hops = spectra.cpu().contiguous().numpy(), *spectra.shape[:2]
        seen_after, heard_after = (each.cpu().numpy().copy() for each in (seen, heard))
        asked = given[:, :: self._turns]
        features = np.zeros((*asked.shape[:2], FEATURES, self._meter.points), np.float32)
        hints = np.zeros((batch, self._lookahead + hops, HINTS, self._meter.points), np.float32)
        like = self._features.fresh_memory(), self._meter.fresh_memory()

        def measure(row: int) -> None:
            memory_seen = _as_memory(seen_after[row], like[0])
            self._features.measure(asked[row], memory_seen, features[row], self._features.scratch())
            memory = _as_memory(heard_after[row], like[1])
            self._meter.measure(given[row], memory, hints[row, self._lookahead :], self._meter.scratch())

        threads = torch.get_num_threads() if spectra.device.type == "cpu" else os.cpu_count()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(measure, range(batch)))  # a list, as errors come to light only so
        made = (features, np.ascontiguousarray(hints[:, :hops]), seen_after, heard_after)
        return tuple(torch.from_numpy(each).to(spectra.device) for each in made)

    def _overlap(self, frames: Tensor) -> Tensor:
        """Return left and right, ``(batch, 3, 2, frames)``, of windows of mid and side: all hops but one."""
        faded = frames[..., -len(self.synthesis) :] * self.synthesis
        first = faded[:, 1:, ..., : self._hop]
        tail = nn.functional.pad(faded[:, :-1, ..., self._hop :], (0, self._hop - self._fade))
        sound = (first + tail).permute(0, 2, 3, 1, 4).flatten(-2)
        mid, side = sound[:, :, 0], sound[:, :, 1]
        return torch.stack([mid + side, mid - side], dim=2)

    def _residual(self, stems: Tensor, mix: Tensor) -> Tensor:
        rest = mix[..., self.start : self.start + stems.shape[-1]] - stems.sum(dim=1)
        return torch.cat([stems, rest[:, None]], dim=1)


def _played(size: NetworkSize, hop: int) -> NetworkSize:
    if size.hop % hop or (size.lookahead and hop != size.hop):
        raise ConfigError(
            f"a network of hops of {size.hop} frames that looks {size.lookahead} of them ahead cannot be played in "
            f"hops of {hop}; they must fit into its own, and it must not look ahead"
        )
    return size.played_at(hop)


def _flat(memory: tuple[NDArray[Any], ...]) -> NDArray[np.float64]:
    """Return a memory as one array, of eight bytes a number."""
    held = [array.ravel().view(np.uint8) for array in memory]
    return np.concatenate([np.pad(each, (0, -len(each) % _EIGHT)) for each in held]).view(np.float64)


def _as_memory(flat: NDArray[np.float64], like: M) -> M:
    """Return what `_flat` made of a memory as one again; it is the same numbers, not a copy."""
    arrays: tuple[NDArray[Any], ...] = like
    parts = np.split(flat.view(np.uint8), np.cumsum([-(-array.nbytes // _EIGHT) * _EIGHT for array in arrays])[:-1])
    whole = zip(parts, arrays, strict=True)
    return type(like)(*(part[: to.nbytes].view(to.dtype).reshape(to.shape) for part, to in whole))


def masks_of(corrections: Tensor, hints: Tensor) -> Tensor:
    """Return complex masks, ``(batch, hops, 3, 2, points)``: `apply_corrections` of many hops, for gradients."""
    logits, imaginary = corrections[:, :, :, : MASKED + 1], corrections[:, :, :, MASKED + 1 :]
    guess = hints[:, :, :GUESSES].reshape(*hints.shape[:2], 2, MASKED, -1)
    likely = torch.softmax(logits + nn.functional.pad(guess, (0, 0, 0, 1)), dim=3)
    real = likely[:, :, :, :MASKED] + SHARE * logits[:, :, :, :MASKED]
    return torch.complex(real, SHARE * imaginary).transpose(2, 3)


def make_trainee(kind: str, values: dict[str, Any], play_hop: int = 0) -> CausalTrainee | HsTasnet:
    """Build a network of random weights.

    Args:
        kind: ``causal`` or ``hs-tasnet``.
        values: the rest of the table ``[network]`` of a config.
        play_hop: frames of the hops in which a causal one will be played; 0 for its own.

    Raises:
        ConfigError: there is no such kind, or a value that makes no sense.
    """
    if kind == "causal":
        return CausalTrainee(size_from(values), play_hop=play_hop)
    if kind == "hs-tasnet":
        if play_hop:
            raise ConfigError(f"an HS-TasNet cannot be trained for hops of {play_hop} frames; leave out play_hop")
        return HsTasnet.from_table(values)
    raise ConfigError(f"there is no network of the kind {kind!r}; one of: causal, hs-tasnet")


assert MASKED == 3, "the rest of a mix is the fourth stem"
