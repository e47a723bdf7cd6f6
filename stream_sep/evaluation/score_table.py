"""Scores as Markdown tables: a row for each model, a column for each stem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ACCOMPANIMENT = "accompaniment"
"""All but the vocals; scored with the stems."""


def score_table(
    measure: str,
    scores: Sequence[tuple[str, str, str, float]],
    average: Callable[[Sequence[float]], object] = np.mean,
) -> str:
    """Return a table of averages over songs, with the number of songs.

    Args:
        measure: its name.
        scores: song, model, stem and decibels of each.
        average: of the decibels of a model and a stem.

    >>> print(score_table("uSDR", [("a", "bands", "vocals", 3.0), ("b", "bands", "vocals", 4.0)]))
    | uSDR, dB | vocals | songs |
    | --- | ---: | ---: |
    | bands | 3.50 | 2 |
    """
    stems = _order_stems(stem for _, _, stem, _ in scores)
    lines = [f"| {measure}, dB | {' | '.join(stems)} | songs |", f"| --- |{' ---: |' * (len(stems) + 1)}"]
    for model in dict.fromkeys(model for _, model, _, _ in scores):
        cells = []
        for stem in stems:
            values = [decibels for _, *of, decibels in scores if of == [model, stem]]
            cells.append(f"{average(values):.2f}" if values else "")
        songs = {song for song, of, _, _ in scores if of == model}
        lines.append(f"| {model} | {' | '.join(cells)} | {len(songs)} |")
    return "\n".join(lines)


def _order_stems(present: Iterable[str]) -> list[str]:
    """Return stems in the order of tables: the usual four, others, the accompaniment.

    >>> _order_stems({"accompaniment", "no_drums", "drums"})
    ['drums', 'no_drums', 'accompaniment']
    """
    kept = set(present)
    usual = [stem for stem in STEMS if stem in kept]
    return [*usual, *sorted(kept - {*STEMS, ACCOMPANIMENT}), *([ACCOMPANIMENT] if ACCOMPANIMENT in kept else [])]
