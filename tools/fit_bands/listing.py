"""The table as Python text, in place of the one in ``table.py``."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_sep.separators.bands import table as bands_table
from stream_sep.separators.bands.cues import CUES

_TABLE = re.compile(r"^TABLE = \($.*?^\)$", re.DOTALL | re.MULTILINE)


def rewritten(table: NDArray[np.float32]) -> str:
    """Return the text of ``table.py`` with ``table``, ``(2, cues, 3, break points)``, in it."""
    text = Path(bands_table.__file__).read_text(encoding="utf-8")
    return _TABLE.sub("\n".join(("TABLE = (", *_lines(table), ")")), text, count=1)


def _lines(table: NDArray[np.float32]) -> Iterator[str]:
    for plane, cues in zip(("mid", "side"), table, strict=True):
        yield f"    (  # {plane}"
        for cue, stems in zip(CUES, cues, strict=True):
            yield f"        (  # {cue}"
            for points in stems:
                yield f"            ({', '.join(f'{value:.2f}' for value in points)}),"
            yield "        ),"
        yield "    ),"
