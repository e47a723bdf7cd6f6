"""Pictures of a training: curves over its steps, and spectrograms of an example."""

from __future__ import annotations

import csv
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError, reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stream_sep.protocols import Block

_SIZE = 2048
_MAX_SECONDS = 30


def draw_curves(table: Path, target: Path) -> Path | None:
    """Draw the loss and the score of each stem over the steps of a training.

    Args:
        table: its ``curves.csv``.
        target: the PNG file.

    Returns:
        The file; None without Matplotlib, or where there is nothing to draw.
    """
    rows = _read(table)
    if not rows or not importlib.util.find_spec("matplotlib"):
        return None
    figure, (loss, scores) = _figure(2, 1)
    steps = [float(row["step"]) for row in rows]
    loss.plot(steps, [float(row["loss"]) for row in rows], "o-")
    loss.set(ylabel="loss")
    for column in rows[0]:
        if column.startswith("usdr_"):
            values = [float(row[column] or "nan") for row in rows]
            scores.plot(steps, values, "o-", label=column.removeprefix("usdr_"))
    scores.set(xlabel="step", ylabel="uSDR, dB")
    scores.legend()
    return _save(figure, target)


def draw_stems(files: Mapping[str, Path], target: Path) -> Path | None:
    """Draw spectrograms of the stems of a song, half a minute of each at most.

    Args:
        files: stem -> its file.
        target: the PNG file.

    Returns:
        The file; None without Matplotlib.

    Raises:
        AudioFileError: a stem cannot be read.
    """
    if not importlib.util.find_spec("matplotlib"):
        return None
    figure, axes = _figure(len(files), 1)
    for axis, (stem, path) in zip(axes, files.items(), strict=True):
        sound, rate = _read_stem(path)
        seconds = sound.shape[1] / rate
        axis.imshow(
            spectrogram(sound), origin="lower", aspect="auto", vmin=-80, vmax=0, extent=(0, seconds, 0, rate / 8000)
        )
        axis.set(title=stem, ylabel="kHz")
    axes[-1].set(xlabel="s")
    return _save(figure, target)


def spectrogram(sound: Block) -> Block:
    """Return levels in dB, ``(bins, frames)``, of the lowest quarter of the spectrum of ``(channels, frames)``."""
    mono = np.pad(sound.mean(axis=0), (0, max(0, _SIZE - sound.shape[1])))
    frames = np.lib.stride_tricks.sliding_window_view(mono, _SIZE)[:: _SIZE // 2]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(_SIZE))).T[: _SIZE // 4] / _SIZE * 4
    levels: Block = 20 * np.log10(spectra + 1e-6)
    return levels


def _read(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read_stem(path: Path) -> tuple[Block, int]:
    try:
        with soundfile.SoundFile(path) as file:
            sound = file.read(_MAX_SECONDS * file.samplerate, dtype="float32", always_2d=True)
            return sound.T, int(file.samplerate)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(f"{path} cannot be read ({reason(error)}); separate the song again") from error


def _figure(rows: int, columns: int) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(10, 3 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, sharex=True, squeeze=False)[:, 0]


def _save(figure: Any, target: Path) -> Path:  # noqa: ANN401 - Matplotlib is an extra
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra

    FigureCanvasAgg(figure).print_png(str(target))  # type: ignore[no-untyped-call] # so it is
    return target
