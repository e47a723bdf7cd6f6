"""``stream-sep evaluate``: how well a separator separates songs whose stems are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream_sep.separators import DEFAULT


def evaluate(
    folder: Annotated[Path, typer.Argument(help="songs: folders of stems, or .stem.mp4 files")],
    model: Annotated[str, typer.Option(help="separator")] = DEFAULT,
    limit: Annotated[int, typer.Option(help="score so many songs at most; 0 scores all")] = 0,
) -> None:
    """Print the SDR of each stem beside that of doing nothing and of plain mid/side, as Markdown."""
    from stream_sep import evaluation

    rows = list(evaluation.evaluate(folder, model, limit=limit or None))
    typer.echo(evaluation.format_table(rows))
