"""A frame transformer as a separator: hop by hop for a stream, in blocks of hops or whole windows for files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from stream_sep.separators.causal.band_layout import RATE, plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS, BandPrior
from stream_sep.separators.causal.features import FEATURES, FeatureExtractor
from stream_sep.separators.causal.windows import lookback_windows
from stream_sep.separators.frame_transformer.masks import complex_masks, project_prior, share_matrix
from stream_sep.separators.mid_side_stft import MidSideStft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block, Stems
    from stream_sep.separators.frame_transformer.config import FrameTransformerConfig
    from stream_sep.separators.source_groups import SourceGroups
    from stream_sep.separators.weight_file import WeightStats

BLOCK_HOPS = 64
"""Hops that `process_many` computes at a time: a call of the network for each hop would take ten times as long."""

_LOUDEST = np.float32(1e9)  # as in mid_side_stft


class NetworkStep(Protocol):
    """Computes the network for the next hops, and keeps its state."""

    @property
    def config(self) -> FrameTransformerConfig:
        """The network's sizes."""
        ...

    @property
    def groups(self) -> SourceGroups:
        """The source groups of its stems."""
        ...

    @property
    def weights(self) -> WeightStats:
        """Number of parameters and file size."""
        ...

    def reset(self) -> None:
        """Go back to the state before the first hop."""
        ...

    def __call__(self, features: Block, prior: Block) -> Block:
        """Return corrections, ``(hops, 2, outputs, points)``, of features and prior, ``(hops, rows, points)``."""
        ...


class FrameTransformerSeparator:
    """Splits stereo with a frame transformer; a `Separator`, whose latency is that of `FrameTransformerConfig`.

    The last stem is the delayed mix minus the others.

    Args:
        step: computes the network.
        sample_rate: frames per second, 44100 or 48000.
    """

    _past: Block  # (2, window - hop): mid and side
    _waiting: NDArray[np.complex64]
    _waiting_prior: Block

    def __init__(self, step: NetworkStep, *, sample_rate: int = RATE) -> None:
        size = step.config.front_end
        self.stems, self.weights = step.groups.stems, step.weights
        self.sample_rate, self.channels = sample_rate, 2
        self.hop, self.latency = size.hop, size.latency
        self._step, self._size = step, size
        self._windows = lookback_windows(size.window, size.hop, size.fade)
        self._frames = MidSideStft(size.hop, size.latency, *self._windows, stems=len(self.stems))
        self._point_of_bin = plan_band_layout(size, sample_rate).mask_bin_of
        self._prior, self._meter = BandPrior(size, sample_rate), FeatureExtractor(size, sample_rate)
        self._prior_room, self._meter_room = self._prior.workspace(), self._meter.workspace()
        self._shares = share_matrix(step.groups)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        spectra = self._frames.analyze(block)[None]
        self._past = np.concatenate([self._past, _mid_side(block)], axis=1)[:, self.hop :]
        return self._frames.synthesize(self._mask(spectra)[0])

    def process_many(self, block: Block, hops: int = BLOCK_HOPS) -> Stems:
        """Separate several hops at once: the same stems as `process` gives, hop by hop, in a tenth of the time.

        Args:
            block: float32 ``(2, frames)``, whole hops.
            hops: how many the network computes at a time.

        Returns:
            float32 ``(stems, 2, frames)``.
        """
        out = np.empty((len(self.stems), 2, block.shape[1]), np.float32)
        size = hops * self.hop
        for at in range(0, block.shape[1], size):
            part = block[:, at : at + size]
            for number, parts in enumerate(self._mask(self._spectra(part))):
                here = slice(number * self.hop, (number + 1) * self.hop)
                self._frames.analyze(part[:, here])
                out[..., at:][..., here] = self._frames.synthesize(parts)
        return out

    def reset(self) -> None:
        """Return to the state of a fresh object."""
        ahead, points = self._size.lookahead, self._prior.points
        self._step.reset()
        self._frames.reset()
        self._past = np.zeros((2, self._size.window - self.hop), np.float32)
        self._prior_state, self._meter_state = self._prior.initial_state(), self._meter.initial_state()
        self._waiting_prior = np.zeros((ahead, PRIOR_CHANNELS, points), np.float32)  # masks are still to come
        self._waiting = np.zeros((ahead, 2, self._size.bins), np.complex64)

    def _spectra(self, block: Block) -> NDArray[np.complex64]:
        """Return the spectra of several hops, complex64 ``(hops, 2, bins)``, as of `MidSideStft.analyze`."""
        sound = np.concatenate([self._past, _mid_side(block)], axis=1)
        self._past = sound[:, sound.shape[1] - self._past.shape[1] :].copy()
        windows = np.lib.stride_tricks.sliding_window_view(sound, self._size.window, axis=1)[:, :: self.hop]
        spectra = np.fft.rfft(windows.transpose(1, 0, 2) * self._windows[0])
        return np.ascontiguousarray(spectra, np.complex64)

    def _mask(self, spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Return the masked spectra of all stems but the last, ``(hops, stems - 1, 2, bins)``."""
        hops = len(spectra)
        prior = np.zeros((hops, PRIOR_CHANNELS, self._prior.points), np.float32)
        features = np.zeros((hops, FEATURES, self._prior.points), np.float32)
        self._prior.compute(spectra, self._prior_state, prior, self._prior_room)
        self._meter.compute(spectra, self._meter_state, features, self._meter_room)
        waiting, prior = np.concatenate([self._waiting, spectra]), np.concatenate([self._waiting_prior, prior])
        self._waiting, self._waiting_prior = waiting[hops:], prior[hops:]
        corrections = self._step(features, prior[:hops])
        logits = project_prior(prior[:hops], self._shares) * np.float32(self._step.config.hints)
        masks = complex_masks(corrections, logits)
        masked: NDArray[np.complex64] = masks[..., self._point_of_bin] * waiting[:hops, None]
        return masked


class WholeWindows:
    """A non-causal frame transformer, as a `WindowModel`: each window is separated by itself.

    Args:
        separator: one whose network is of the form ``whole``.
    """

    def __init__(self, separator: FrameTransformerSeparator) -> None:
        self._separator = separator
        self.stems, self.channels = separator.stems, separator.channels
        self.sample_rate = separator.sample_rate

    def __call__(self, window: Block) -> Stems:
        """Return the stems of a window, ``(stems, 2, frames)``."""
        separator, frames = self._separator, window.shape[1]
        separator.reset()
        missing = -(frames + separator.latency) % separator.hop
        padded = np.pad(window, ((0, 0), (0, separator.latency + missing)))
        return separator.process_many(padded, padded.shape[1] // separator.hop)[..., separator.latency :][
            ..., :frames
        ]


def _mid_side(block: Block) -> Block:
    """Return mid and side of finite, bounded sound."""
    sound = np.where(np.isfinite(block), np.clip(block, -_LOUDEST, _LOUDEST), np.float32(0.0)).astype(np.float32)
    left, right = np.float32(0.5) * sound
    return np.stack([left + right, left - right])
