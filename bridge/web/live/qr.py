"""Links as QR codes in a terminal."""

from __future__ import annotations

import importlib.util
import io


def qr_code(link: str) -> str:
    """Return a QR code of half blocks, dark on light with any terminal colours; empty without segno.

    >>> len(qr_code("http://192.168.1.7:9190/").splitlines()) in (0, 15, 17)
    True
    """
    if importlib.util.find_spec("segno") is None:
        return ""
    import segno  # noqa: PLC0415 - optional

    rows = [bytes(row) for row in segno.make(link, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append(bytes(len(rows[0])))
    drawn = io.StringIO()
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        drawn.write("".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True)) + "\n")
    return drawn.getvalue()


_BLOCKS = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}  # light modules are drawn: most terminals are dark
