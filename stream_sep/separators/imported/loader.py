"""Imported networks as separators of the engine: vocals and instruments, in windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.overlap_add import OverlapAddSeparator
from stream_sep.separators.rates import at_rate
from stream_sep.separators.weight_file import read_weight_file
from stream_sep.separators.windowed import WindowedSeparator

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Separator, Stems
    from stream_sep.separators.weight_file import WeightStats

_RATE, _HOP = 44100, 1024
_CROP = 256  # frames of a spectrum that CascadedNet was trained with


class MaskWindows:
    """A network of masks for the instruments, as a `WindowModel`: the vocals are the rest.

    The networks were trained on spectra divided by their song's maximum, which is unknown in a stream: the maximum of
    the window, of six seconds or more, takes its place.

    Args:
        network: maps magnitudes ``(batch, 2, bins + 1, frames)`` to masks.
        bins: of its spectra, without the Nyquist bin.
    """

    stems, sample_rate, channels = ("vocals", "instruments"), _RATE, 2

    def __init__(self, network: Any, bins: int) -> None:  # noqa: ANN401 - torch is heavy, and only here when a model is
        self._network, self._size = network.eval(), 2 * bins

    def __call__(self, window: Block) -> Stems:
        """Return the stems of a window, ``(2, 2, frames)``; non-finite numbers become silence."""
        import torch  # noqa: PLC0415 - as above

        finite = torch.from_numpy(np.nan_to_num(window, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32))
        hann = torch.hann_window(self._size)
        with torch.inference_mode():
            spectra = torch.stft(
                finite, self._size, self._size // 2, window=hann, pad_mode="constant", return_complex=True
            )
            magnitudes = spectra.abs()
            masks = self._network(magnitudes[None] / magnitudes.max().clamp(min=1e-8))[0]
            instruments = torch.istft(
                masks * spectra, self._size, self._size // 2, window=hann, length=finite.shape[1]
            )
        return np.stack([(finite - instruments).numpy(), instruments.numpy()])


class ImportedSeparator(WindowedSeparator):
    """Runs an imported network once per hop over a window that ends at the newest frame; a `Separator`.

    Args:
        windows: the network.
        window: frames of a window.
        weights: how many weights it has.
        hop: frames per step.
        lookahead: frames of the future behind the kept part.

    Raises:
        ConfigError: hop and look-ahead do not fit in the window.
    """

    def __init__(self, windows: MaskWindows, window: int, weights: WeightStats, *, hop: int, lookahead: int) -> None:
        fade = min(_RATE // 100, max(hop, 1))
        context = window - hop - lookahead - fade
        if context < 0:
            raise ConfigError(f"a window of {window} frames cannot hold a hop of {hop} and {lookahead} ahead")
        super().__init__(windows, context=context, hop=hop, lookahead=lookahead, fade=fade)
        self._windows, self._size, self.weights = windows, window, weights

    def for_files(self) -> Separator:
        """Return the same network for files: windows that overlap by half, with no seam."""
        return OverlapAddSeparator(self._windows, self._size)


def load_imported(
    *,
    sample_rate: int = _RATE,
    weights: str | Path | None = None,
    threads: int = 1,
    hop_ms: float | None = None,
    lookahead_ms: float | None = None,
) -> Separator:
    """Load weights that ``stream-sep models import`` wrote.

    Args:
        sample_rate: frames per second of the stream; others than 44100 are resampled.
        weights: the ``.safetensors`` file.
        threads: CPU threads, of the whole process.
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
    try:
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        from stream_sep.separators.imported.importer import FORMATS, build_imported  # noqa: PLC0415 - as torch
    except ImportError as error:
        raise SeparatorError(f"imported networks need torch ({error}); {install_hint('train')}") from error
    file = read_weight_file(Path(weights))
    name = next((name for name, known in FORMATS.items() if known == file.format), "")
    if not name:
        raise SeparatorError(f"{weights} holds {file.format!r}, which is not an imported network")
    network = build_imported(name, file.sizes)
    loaded = file.fill(network)
    torch.set_num_threads(max(threads, 1))
    bins = int(file.sizes["bins"])
    window = (int(file.sizes.get("crop", _CROP)) - 1) * bins
    window -= window % 2
    hop = min(_RATE, window // 8) if hop_ms is None else round(hop_ms * _RATE / 1000)
    ahead = min(_RATE, window // 8) // 2 if lookahead_ms is None else round(lookahead_ms * _RATE / 1000)
    windows = MaskWindows(network, bins)
    return at_rate(
        lambda _rate: ImportedSeparator(windows, window, loaded, hop=hop, lookahead=ahead),
        sample_rate,
        (_RATE,),
        name=name,
    )
