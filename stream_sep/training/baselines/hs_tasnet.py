"""HS-TasNet and its small form, written from the paper, as a baseline.

Venkatesh, Benilov, Coleman and Roskam, "Real-time Low-latency Music Source Separation using Hybrid
Spectrogram-TasNet" (ICASSP 2024). Windows of 1024 frames, every 512: a spectral branch masks the spectrum, a waveform
branch masks a learned basis, both with LSTMs, joined in the middle; their sounds are added. Normalisation before the
masks is not in the paper: without it training is not stable.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS
from stream_sep.separators.frame_transformer.attention import RMSNorm

_WINDOW, _HOP = 1024, 512
_BINS = _WINDOW // 2 + 1


class HsTasnet(nn.Module):
    """The network, in training or hop by hop; latency is its whole window, 1024 frames with the hop's filling.

    Args:
        small: one LSTM each, the branches added up in the middle rather than joined.
        hidden: units of a branch's LSTMs.
        basis: learned waveforms.
        stems: names of its stems.
    """

    window: Tensor

    def __init__(
        self, *, small: bool = True, hidden: int = 500, basis: int = 1500, stems: tuple[str, ...] = STEMS
    ) -> None:
        super().__init__()
        self.hop, self.context_frames, self.first_output_frame = _HOP, _WINDOW - _HOP, _WINDOW - _HOP
        layers = 1 if small else 2
        self.small, self.stems = small, stems
        count = len(stems)
        middle = hidden if small else 2 * hidden
        self.spectral_in = nn.Linear(4 * _BINS, hidden)
        self.wave_in = nn.Linear(2 * _WINDOW, 2 * basis, bias=False)
        self.wave_down = nn.Linear(basis, hidden)
        self.memories = nn.ModuleList(
            [
                nn.LSTM(hidden, hidden, layers, batch_first=True),
                nn.LSTM(hidden, hidden, layers, batch_first=True),
                nn.LSTM(middle, middle, layers, batch_first=True),
                nn.LSTM(hidden, hidden, layers, batch_first=True),
                nn.LSTM(hidden, hidden, layers, batch_first=True),
            ]
        )
        self.norms = nn.ModuleList(RMSNorm(hidden) for _ in range(2))
        self.spectral_out = nn.Linear(hidden, 4 * _BINS * count)
        self.wave_out = nn.Linear(hidden, basis * count)
        self.wave_up = nn.Linear(basis, 2 * _WINDOW, bias=False)
        self.register_buffer("window", torch.hann_window(_WINDOW).sqrt(), persistent=False)
        for layer in (self.spectral_out, self.wave_out):  # as if there were no mask, until it is learned
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, 1 / count)

    @classmethod
    def from_table(cls, values: dict[str, Any], stems: tuple[str, ...] = STEMS) -> HsTasnet:
        """Build one from a config's table.

        Args:
            values: the config's table.
            stems: number of outputs.

        Raises:
            ConfigError: an unknown key or an invalid size.
        """
        unknown = sorted(set(values) - {"small", "hidden", "basis"})
        if unknown:
            raise ConfigError(f"an hs-tasnet has no setting {unknown[0]!r}; it has: small, hidden, basis")
        sizes = [values[key] for key in ("hidden", "basis") if values.get(key) is not None]
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ConfigError(f"the sizes of an hs-tasnet must be whole numbers of at least 1, not {values}")
        return cls(**values, stems=stems)

    @property
    def network(self) -> nn.Module:
        """The module whose weights are kept: all of it."""
        return self

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """Return hidden and cell states of all LSTMs, batch first."""
        device = self.spectral_in.weight.device
        return tuple(
            torch.zeros(batch, memory.num_layers, memory.hidden_size, device=device)
            for memory in self.memories
            if isinstance(memory, nn.LSTM)
            for _ in range(2)
        )

    def separate(self, mix: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return stems and the next state; see `TrainableSeparator.separate`."""
        frames, after = self.windows(mix.unfold(-1, _WINDOW, _HOP).transpose(1, 2), state)
        sound = frames[:, 1:, ..., :_HOP] + frames[:, :-1, ..., _HOP:]
        return sound.permute(0, 2, 3, 1, 4).flatten(-2), after

    def windows(self, frames: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return stems of each window, ``(batch, hops, stems, 2, 1024)``, still to be overlapped.

        Args:
            frames: ``(batch, 2, frames)``.
            state: of the LSTMs.
        """
        batch, hops = frames.shape[:2]
        spectra = torch.fft.rfft(frames * self.window)
        spectral_input = self.spectral_in(torch.view_as_real(spectra).flatten(2))
        rectified, gate = self.wave_in(frames.flatten(2)).chunk(2, dim=-1)
        basis = torch.relu(rectified) * torch.sigmoid(gate)
        wave_input = self.wave_down(basis)
        spectral, wave, after = self._recur(spectral_input, wave_input, state)
        masks = self.spectral_out(spectral).reshape(batch, hops, len(self.stems), 2, _BINS, 2)
        parts = torch.fft.irfft(torch.view_as_complex(torch.view_as_real(spectra)[:, :, None] * masks)) * self.window
        shares = self.wave_out(wave).reshape(batch, hops, len(self.stems), -1)
        waves = self.wave_up(shares * basis[:, :, None]).reshape(batch, hops, len(self.stems), 2, _WINDOW)
        return parts + waves * self.window.square(), after

    def _recur(
        self, spectral_input: Tensor, wave_input: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        after: list[Tensor] = []

        def recall(number: int, x: Tensor) -> Tensor:
            before = [part.transpose(0, 1).contiguous() for part in state[2 * number : 2 * number + 2]]
            y: Tensor
            y, kept = self.memories[number](x, tuple(before))
            after.extend(part.transpose(0, 1) for part in kept)
            return y if self.small and number < 2 else y + x

        spectral, wave = recall(0, spectral_input), recall(1, wave_input)
        if self.small:
            spectral = wave = recall(2, spectral + wave)
        else:
            spectral, wave = recall(2, torch.cat([spectral, wave], dim=-1)).chunk(2, dim=-1)
        spectral, wave = recall(3, spectral + spectral_input), recall(4, wave + wave_input)
        return self.norms[0](spectral), self.norms[1](wave), tuple(after)
