"""Imported networks as separators of the engine: vocals and instruments, in windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.separators.overlap_add import OverlapAddSeparator
from stream_sep.separators.rates import at_rate
from stream_sep.separators.spectral_peak import FallingPeak, SongPeak
from stream_sep.separators.torch_device import prepare_torch
from stream_sep.separators.weight_file import read_weight_file
from stream_sep.separators.windowed import WindowedSeparator

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.protocols import Block, Separator, Stems
    from stream_sep.separators.weight_file import WeightStats

_RATE, _HOP = 44100, 1024
_CROP = 256  # frames of a spectrum that CascadedNet was trained with
_OFFSET = 64  # of them that it discards at both ends


class MaskWindows:
    """A network of masks for the instruments, as a `WindowModel`: the vocals are the rest, or have their own masks.

    Args:
        network: maps spectra ``(batch, 2, bins + 1, frames)`` to masks of the instruments' left and right, and of the
            vocals' where it has these.
        bins: of its spectra, without the Nyquist bin.
        level: returns what to divide the spectrum of a window by, given its maximum: the networks were trained on
            spectra divided by their song's.
        device: where torch computes.
    """

    stems, sample_rate, channels = ("vocals", "instruments"), _RATE, 2

    def __init__(self, network: Any, bins: int, level: Callable[[float], float], device: str = "cpu") -> None:  # noqa: ANN401 - torch is heavy, and only here when a model is
        self.network, self.bins, self.device = network.to(device).eval(), bins, device
        self._level, self._size = level, 2 * bins

    def __call__(self, window: Block) -> Stems:
        """Return the stems of a window, ``(2, 2, frames)``; non-finite numbers become silence."""
        import torch  # noqa: PLC0415 - as above

        finite = torch.from_numpy(np.nan_to_num(window, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32))
        sound, hann = finite.to(self.device), torch.hann_window(self._size, device=self.device)
        with torch.inference_mode():
            spectra = torch.stft(
                sound, self._size, self._size // 2, window=hann, pad_mode="constant", return_complex=True
            )
            masks = self.network(spectra[None] / self._level(float(spectra.abs().max())))[0]
            masked = (masks.unflatten(0, (-1, 2)) * spectra).flatten(0, 1)
            made = torch.istft(masked, self._size, self._size // 2, window=hann, length=finite.shape[1]).cpu()
        instruments, vocals = made[:2], made[2:]
        return np.stack([(vocals if len(vocals) else finite - instruments).numpy(), instruments.numpy()])


class ImportedSeparator(WindowedSeparator):
    """Runs an imported network once per hop over a window that ends at the newest frame; a `Separator`.

    Args:
        windows: the network.
        level: of the stream, which the windows use.
        window: frames of a window.
        weights: how many weights it has.
        hop: frames per step.
        lookahead: frames of the future behind the kept part.
        margin: for files: frames that are discarded at both ends of a window, for a network that was trained so.

    Raises:
        ConfigError: hop and look-ahead do not fit in the window.
    """

    def __init__(
        self,
        windows: MaskWindows,
        level: FallingPeak,
        window: int,
        weights: WeightStats,
        *,
        hop: int,
        lookahead: int,
        margin: int = 0,
    ) -> None:
        fade = min(_RATE // 100, max(hop, 1))
        context = window - hop - lookahead - fade
        if context < 0:
            raise ConfigError(f"a window of {window} frames cannot hold a hop of {hop} and {lookahead} ahead")
        self._level = level
        super().__init__(windows, context=context, hop=hop, lookahead=lookahead, fade=fade)
        self._windows, self._size, self._margin, self.weights = windows, window, margin, weights

    def reset(self) -> None:
        """Clear the window, the faded tail and the level."""
        super().reset()
        self._level.reset()

    def for_files(self) -> Separator:
        """Return the same network for files: with the level of the whole song, and no seam."""
        level, inner = SongPeak(), self._windows
        windows = MaskWindows(inner.network, inner.bins, level, inner.device)
        if self._margin:
            return InnerWindows(windows, level, self._size, self._margin)
        return OverlappingWindows(windows, level, self._size)

    def _separate(self) -> Stems:
        if not self._window.any():
            self._level(0.0)  # which falls in silence too, where no network runs
        return super()._separate()


class OverlappingWindows(OverlapAddSeparator):
    """An imported network for files, in windows that overlap by half; a `Separator`.

    Args:
        windows: the network.
        level: of the song, which the windows use.
        window: frames of a window.
    """

    def __init__(self, windows: MaskWindows, level: SongPeak, window: int) -> None:
        super().__init__(windows, window)
        self.stft_size, self._level = 2 * windows.bins, level

    def set_peak(self, peak: float) -> None:
        """Set the largest magnitude in the STFT of the song, of windows of ``stft_size`` frames."""
        self._level.peak = peak


class InnerWindows(WindowedSeparator):
    """An imported network for files, in windows of which only the middle is kept; a `Separator`.

    Args:
        windows: the network.
        level: of the song, which the windows use.
        window: frames of a window.
        margin: frames that are discarded at both of its ends.
    """

    has_own_rate = True

    def __init__(self, windows: MaskWindows, level: SongPeak, window: int, margin: int) -> None:
        fade = windows.bins
        super().__init__(windows, context=margin, hop=window - 2 * margin - fade, lookahead=margin, fade=fade)
        self.stft_size, self._level = 2 * windows.bins, level

    def set_peak(self, peak: float) -> None:
        """Set the largest magnitude in the STFT of the song, of windows of ``stft_size`` frames."""
        self._level.peak = peak


def load_imported(
    *,
    sample_rate: int = _RATE,
    weights: str | Path | None = None,
    threads: int = 0,
    device: str = "cpu",
    hop_ms: float | None = None,
    lookahead_ms: float | None = None,
) -> Separator:
    """Load weights that ``stream-sep models import`` wrote.

    Args:
        sample_rate: frames per second of the stream; others than 44100 are resampled.
        weights: the ``.safetensors`` file.
        threads: CPU threads, of the whole process; torch's own choice if 0.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest that is here.
        hop_ms: live: how often it runs; an eighth of a window, at most a second, unless given.
        lookahead_ms: live: future that each window shows; half as much unless given.

    Raises:
        SeparatorError: there are no weights, or they cannot be used.
        ConfigError: an invalid value.
    """
    if weights is None:
        raise SeparatorError(
            "an imported network needs its file: 'stream-sep models import FILE.pth --out FILE.safetensors', then "
            "--model FILE.safetensors"
        )
    device = prepare_torch(device, threads or None)
    from stream_sep.separators.imported.importer import FORMATS, build_imported  # noqa: PLC0415 - torch is heavy

    file = read_weight_file(Path(weights))
    name = next((name for name, known in FORMATS.items() if known == file.format), "")
    if not name:
        raise SeparatorError(f"{weights} holds {file.format!r}, which is not an imported network")
    network = build_imported(name, file.sizes)
    loaded = file.fill(network)
    bins = file.size("bins")
    window = ((file.size("crop") if "crop" in file.sizes else _CROP) - 1) * bins
    window -= window % 2
    hop = min(_RATE, window // 8) if hop_ms is None else round(hop_ms * _RATE / 1000)
    sizes = {
        "hop": hop,
        "lookahead": min(_RATE, window // 8) // 2 if lookahead_ms is None else round(lookahead_ms * _RATE / 1000),
        "margin": _OFFSET * bins if name == "vocal-remover" else 0,
    }
    level = FallingPeak(hop / _RATE, 2 * bins)
    windows = MaskWindows(network, bins, level, device)
    return at_rate(
        lambda _rate: ImportedSeparator(windows, level, window, loaded, **sizes), sample_rate, (_RATE,), name=name
    )
