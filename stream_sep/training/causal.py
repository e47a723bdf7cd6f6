"""Networks that correct the masks of ``bands``, in training: `CausalSeparator`, many hops at once, for gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.band_prior import PRIOR_LOGITS
from stream_sep.separators.causal.masks import LINEAR_GAIN, MASKED
from stream_sep.separators.causal.network import CausalNetwork
from stream_sep.separators.causal.staggered_inference import output_delay_hops
from stream_sep.separators.causal.windows import lookback_windows
from stream_sep.separators.frame_transformer.masks import TINY, share_matrix
from stream_sep.separators.source_groups import FOUR
from stream_sep.training.network_input import open_input

if TYPE_CHECKING:
    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.separators.source_groups import SourceGroups
    from stream_sep.training.models import ModelState
    from stream_sep.training.network_input import InputState, NetworkInput


class CausalTrainingModel(nn.Module):
    """Runs a causal network over a stretch of sound, exactly as `CausalSeparator` does hop by hop.

    Args:
        size: the network's front end.
        network: a module with ``forward(features, prior, state)``, ``initial_state`` and ``plan``; a causal network
            with random weights by default.
        inference_hop: frames of the hops in which it is played, as of `CausalSeparator`; 0 for its own. What it
            output last is not in its state: shorter hops begin without an output.
        groups: the source groups of its stems; the last is what the others leave.
        prior: whether the masks start from those of ``bands``.

    Raises:
        ConfigError: it cannot be played in such hops.
    """

    analysis: Tensor
    synthesis: Tensor
    mask_bin_of: Tensor

    def __init__(
        self,
        size: NetworkConfig,
        network: Any = None,  # noqa: ANN401 - any network with that call
        inference_hop: int = 0,
        groups: SourceGroups = FOUR,
        *,
        prior: bool = True,
    ) -> None:
        super().__init__()
        self.network = network if network is not None else CausalNetwork(size)
        played = _at_hop(size, inference_hop or size.hop)
        self.hop, self.stems = size.hop, groups.stems
        self.context_frames = size.window - played.hop + size.lookahead * size.hop
        self.first_output_frame = size.window - played.fade
        self._turns = size.hop // played.hop
        self._late = output_delay_hops(size, self._turns)
        self._lookahead, self._window, self._hop, self._fade = size.lookahead, size.window, played.hop, played.fade
        self._sizes = size, played
        self._inputs: tuple[torch.device, NetworkInput] | None = None
        self._prior_scale = float(prior)
        analysis, synthesis = lookback_windows(size.window, played.hop, played.fade)
        shares = share_matrix(groups)
        self.register_buffer("analysis", torch.from_numpy(analysis), persistent=False)
        self.register_buffer("synthesis", torch.from_numpy(synthesis), persistent=False)
        self.register_buffer("mask_bin_of", torch.from_numpy(self.network.plan.mask_bin_of), persistent=False)
        self.register_buffer("shares", None if shares is None else torch.from_numpy(shares), persistent=False)

    def initial_state(self, batch: int) -> ModelState:
        """Return the state before the first frame: of features and prior, and of the network."""
        return *self._input.initial_state(batch), *self._network_state(batch)

    def separate(self, mix: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Return stems and the next state; see `TrainableSeparator.separate`."""
        middle = torch.stack([mix[:, 0] + mix[:, 1], mix[:, 0] - mix[:, 1]], dim=1) / 2
        frames = middle.unfold(-1, self._window, self._hop) * self.analysis
        spectra = torch.fft.rfft(frames).transpose(1, 2)  # (batch, hops, 2, bins), of the hops that are played
        features, prior, measured = self._measure(spectra, (state[0], state[1]))
        masks, after = self._mask(features, prior, state[2:])
        kept = spectra[:, : spectra.shape[1] - self._lookahead, None]
        parts = masks[:, self._lookahead :, ..., self.mask_bin_of] * kept
        return self._residual(self._overlap(torch.fft.irfft(parts)), mix), (*measured, *after)

    def _network_state(self, batch: int) -> ModelState:
        state: ModelState = self.network.initial_state(batch)
        return state

    def _mask(self, features: Tensor, prior: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Return complex masks, ``(batch, hops, stems - 1, 2, points)``, and the next state."""
        return self._masks_by(self.network, features, prior, state)

    def _masks_by(
        self,
        network: Any,  # noqa: ANN401 - as above
        features: Tensor,
        prior: Tensor,
        state: ModelState,
    ) -> tuple[Tensor, ModelState]:
        """Return the masks, each the prior corrected by the latest output of the network, and its state."""
        corrections, after = network(features, prior[:, :: self._turns], state)
        held = corrections.float().repeat_interleave(self._turns, dim=1)  # half precision computes all but the sound
        delayed = nn.functional.pad(held, (0, 0, 0, 0, 0, 0, self._late, 0))[:, : prior.shape[1]]
        shares = self.get_buffer("shares") if self.shares is not None else None
        return masks_of(delayed, self._prior_scale * project_priors(prior, shares)), after

    @torch.no_grad()
    def _measure(self, spectra: Tensor, state: InputState) -> tuple[Tensor, Tensor, InputState]:
        """Return features and prior of all hops, the prior later by the look-ahead, and the next state."""
        features, prior, after = self._input.measure(spectra, self._turns, state)
        late = nn.functional.pad(prior, (0, 0, 0, 0, self._lookahead, 0))
        return features, late[:, : prior.shape[1]], after

    @property
    def _input(self) -> NetworkInput:
        device = self.analysis.device
        if self._inputs is None or self._inputs[0] != device:
            self._inputs = device, open_input(*self._sizes, device)
        return self._inputs[1]

    def _overlap(self, frames: Tensor) -> Tensor:
        """Return left and right, ``(batch, stems - 1, 2, frames)``, of windows of mid and side: all hops but one."""
        faded = frames[..., -len(self.synthesis) :] * self.synthesis
        first = faded[:, 1:, ..., : self._hop]
        tail = nn.functional.pad(faded[:, :-1, ..., self._hop :], (0, self._hop - self._fade))
        sound = (first + tail).permute(0, 2, 3, 1, 4).flatten(-2)
        mid, side = sound[:, :, 0], sound[:, :, 1]
        return torch.stack([mid + side, mid - side], dim=2)

    def _residual(self, stems: Tensor, mix: Tensor) -> Tensor:
        start = self.first_output_frame
        rest = mix[..., start : start + stems.shape[-1]] - stems.sum(dim=1)
        return torch.cat([stems, rest[:, None]], dim=1)


def project_priors(prior: Tensor, shares: Tensor | None) -> Tensor:
    """Return the prior's logits of each group but the last: `project_prior` of a batch, on any device.

    Shape:
        prior: ``(batch, hops, PRIOR_CHANNELS, points)``
        shares: ``(groups, 4)``, or None for the four stems
        logits: ``(batch, hops, 2, groups - 1, points)``
    """
    stem_logits = prior[:, :, :PRIOR_LOGITS].reshape(*prior.shape[:2], 2, MASKED, -1)
    if shares is None:
        return stem_logits
    likely = torch.softmax(nn.functional.pad(stem_logits, (0, 0, 0, 1)), dim=3)
    logits = torch.log(torch.einsum("gs,bhpsk->bhpgk", shares, likely) + TINY)
    return logits[:, :, :, :-1] - logits[:, :, :, -1:]


def masks_of(corrections: Tensor, prior_logits: Tensor) -> Tensor:
    """Return complex masks, ``(batch, hops, groups - 1, 2, points)``: `complex_masks` of many hops, for gradients.

    Args:
        corrections: the network's outputs, ``(batch, hops, 2, channels, mask_bins)``.
        prior_logits: of `project_priors`, ``(batch, hops, 2, groups - 1, mask_bins)``.
    """
    masked = prior_logits.shape[3]
    logits, imaginary = corrections[:, :, :, : masked + 1], corrections[:, :, :, masked + 1 :]
    likely = torch.softmax(logits + nn.functional.pad(prior_logits, (0, 0, 0, 1)), dim=3)
    real = likely[:, :, :, :masked] + LINEAR_GAIN * logits[:, :, :, :masked]
    if not imaginary.shape[3]:
        imaginary = torch.zeros_like(real)
    return torch.complex(real, LINEAR_GAIN * imaginary).transpose(2, 3)


def _at_hop(size: NetworkConfig, hop: int) -> NetworkConfig:
    if size.hop % hop or (size.lookahead and hop != size.hop):
        raise ConfigError(
            f"a network of hops of {size.hop} frames that looks {size.lookahead} of them ahead cannot be played in "
            f"hops of {hop}; they must fit into its own, and it must not look ahead"
        )
    return size.with_hop(hop)
