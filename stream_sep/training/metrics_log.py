"""Logs of a training: a table, TensorBoard's curves, a picture of an example."""

from __future__ import annotations

import csv
import importlib.util
from typing import TYPE_CHECKING, Any

from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.training.pictures import spectrogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stream_sep.protocols import Stems


class MetricsLogger:
    """Writes a row for each validation; rows after the step from which a training resumes are removed.

    Args:
        folder: where to write ``curves.csv`` and TensorBoard's files.
        step: the step to resume from.
        stems: names of the scored stems.
    """

    def __init__(self, folder: Path, step: int, stems: Sequence[str]) -> None:
        scores = (*(f"usdr_{stem}" for stem in stems), "usdr_mean")
        self._columns = ("step", "seconds", "loss", "learning_rate", "skipped_steps", *scores)
        self._path = folder / "curves.csv"
        self._rows = [row for row in _read(self._path) if int(row["step"]) <= step]
        self._board: Any = None
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add(self, row: Mapping[str, float]) -> None:
        """Add a row.

        Args:
            row: step, seconds, loss, learning_rate, skipped_steps, and usdr_STEM of each stem and of their mean.
        """
        self._rows.append({key: f"{value:.6g}" if key != "step" else str(int(value)) for key, value in row.items()})
        lines = [
            ",".join(self._columns),
            *(",".join(line.get(key, "") for key in self._columns) for line in self._rows),
        ]
        atomic_write(self._path, ("\n".join(lines) + "\n").encode())
        if self._board is not None:
            for key, value in row.items():
                self._board.add_scalar(key, value, int(row["step"]))
            self._board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def plot_example(path: Path, estimates: Stems, stems: Stems, names: Sequence[str]) -> None:
    """Draw the spectra of true and estimated stems, ``(stems, channels, frames)``; nothing without Matplotlib.

    Args:
        path: the picture to write.
        estimates: ``(stems, channels, frames)``.
        stems: the true stems, ``(stems, channels, frames)``.
        names: names of the stems.
    """
    if not importlib.util.find_spec("matplotlib"):
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(2, len(stems), sharex=True, sharey=True, squeeze=False)
    for column, name in enumerate(names):
        for row, (sound, title) in enumerate(((stems[column], name), (estimates[column], f"{name}, estimated"))):
            axes[row, column].imshow(spectrogram(sound), origin="lower", aspect="auto", vmin=-80, vmax=0)
            axes[row, column].set_title(title)
    FigureCanvasAgg(figure).print_png(str(path))  # type: ignore[no-untyped-call] # so it is


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
