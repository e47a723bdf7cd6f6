"""The line of each key of a TOML file, which the standard library's parser does not provide."""

from __future__ import annotations

import io
import tomllib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Keys: TypeAlias = tuple[str | int, ...]
"""The path to a value: keys of tables, and indices in arrays of tables."""


_MAX_PARSED = 2**22


def lines_of(text: str) -> dict[Keys, int]:
    r"""Return the line, counted from 1, of every table and key of ``text``, which must be valid TOML.

    >>> lines_of('schema = 1\n\n[stem.vocals]\nmute = true')
    {('schema',): 1, ('stem',): 3, ('stem', 'vocals'): 3, ('stem', 'vocals', 'mute'): 4}
    """
    found: dict[Keys, int] = {}
    table: Keys = ()
    arrays: dict[Keys, int] = {}
    for line, statement in _statements(text):
        keys = list(_keys(tomllib.loads(statement)))
        if statement.lstrip().startswith("["):
            table = _numbered(keys[-1], arrays, new=statement.lstrip().startswith("[["))
            keys = [table[:depth] for depth in range(1, len(table) + 1)]
        else:
            keys = [(*table, *key) for key in keys]
        for key in keys:
            found.setdefault(key, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Split TOML into its statements: lines are added until they parse on their own."""
    pending, begun, budget = "", 1, _MAX_PARSED
    for line, row in enumerate(io.StringIO(text), 1):
        begun = begun if pending else line
        pending += row
        budget -= len(pending)
        if budget < 0:  # an array of thousands of lines, each of which was tried
            return
        try:
            statement = tomllib.loads(pending)
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        if statement:
            yield begun, pending
        pending = ""


def _keys(value: Any, above: Keys = ()) -> Iterator[Keys]:  # noqa: ANN401 - any TOML value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        if isinstance(value, dict) or isinstance(inner, dict):
            yield (*above, key)
            yield from _keys(inner, (*above, key))


def _numbered(header: Keys, arrays: dict[Keys, int], *, new: bool) -> Keys:
    """Return a header's keys with the indices of its arrays of tables; a ``[[header]]`` starts a new element."""
    keys: Keys = ()
    names = [key for key in header if isinstance(key, str)]
    for depth, name in enumerate(names, 1):
        keys = (*keys, name)
        if new and depth == len(names):
            arrays[keys] = arrays.get(keys, -1) + 1
        if keys in arrays:
            keys = (*keys, arrays[keys])
    return keys
