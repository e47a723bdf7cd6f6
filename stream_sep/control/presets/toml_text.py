"""Reading TOML files with limits: byte-order marks, wrong encodings, size and nesting."""

from __future__ import annotations

import codecs
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

MAX_BYTES = 2**20
"""Maximum size of a file."""

MAX_DEPTH = 32
"""Maximum nesting of tables and arrays."""

_UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE


def read_text(file: Traversable) -> str:
    """Return the text of a file.

    Args:
        file: of UTF-8 text, with a byte-order mark or without.

    Returns:
        The text, without the mark and with Unix line ends.

    Raises:
        OSError: it cannot be read.
        ValueError: it is in another encoding, or too large; the message follows "cannot read FILE: ".
    """
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    return decode(data)


def decode(data: bytes) -> str:
    r"""Return the text of a file's bytes.

    Args:
        data: UTF-8, with a byte-order mark or without.

    Returns:
        The text.

    Raises:
        ValueError: another encoding, or too many bytes.

    >>> decode(b"\xef\xbb\xbfschema = 1\r\n")
    'schema = 1\n'
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    if data.startswith(_UTF16) or data[1:2] == b"\0":
        raise ValueError("it is UTF-16 text, as > writes in PowerShell; save it as UTF-8 (Out-File -Encoding utf8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text: {error}") from error
    return text.replace("\r\n", "\n")


def parse(text: str) -> dict[str, Any]:
    """Return the tables of a TOML document.

    Args:
        text: the document.

    Returns:
        Its tables, nested at most `MAX_DEPTH` deep.

    Raises:
        ValueError: it is not TOML, or nested too deep.

    >>> parse("schema = 1")
    {'schema': 1}
    """
    try:
        tables = tomllib.loads(text)
        _check_depth(tables, 0)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return tables


def _check_depth(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _check_depth(each, depth + 1)
