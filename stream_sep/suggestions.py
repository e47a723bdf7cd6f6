"""Suggestions for unknown names: the closest known one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def did_you_mean(
    name: str, known: Iterable[str], otherwise: str | None = None, *, shown: Callable[[str], str] = str
) -> str:
    """Return the end of a message about an unknown name: the closest known name, or all of them.

    Args:
        name: the unknown name, in any case of letters.
        known: the valid names.
        otherwise: the end of the message where no name is close; a list of all names by default.
        shown: turns the closest name into the user's spelling.

    >>> did_you_mean("reverb", ["Reverb", "Delay"])
    "did you mean 'Reverb'?"
    >>> did_you_mean("tape", ["Reverb", "Delay"])
    'choose from Reverb, Delay'
    """
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    if close:
        return f"did you mean {shown(by_lower[close[0]])!r}?"
    if otherwise is not None:
        return otherwise
    return f"choose from {', '.join(by_lower.values())}" if by_lower else "there are none"
