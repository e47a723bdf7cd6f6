"""Unexpected errors: logged with a traceback once, counted after that, without ending a thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

REPEAT_SECONDS = 60.0
"""The least time between two tracebacks from one line of code."""

_MAX_PLACES = 64


class UnexpectedErrors:
    """Logs tracebacks, each place in the code at most once a minute.

    Args:
        log: the logger.
        name: of the part that continues after the error.
    """

    def __init__(self, log: logging.Logger, name: str) -> None:
        self._log, self._name = log, name
        self._silent_until: dict[tuple[object, ...], float] = {}

    def note(self, error: Exception) -> None:
        """Log an error, unless the same line failed within `REPEAT_SECONDS`.

        Args:
            error: as caught.
        """
        now, place = time.monotonic(), _place(error)
        if self._silent_until.get(place, 0.0) > now:
            return
        if len(self._silent_until) >= _MAX_PLACES:
            self._silent_until.clear()
        self._silent_until[place] = now + REPEAT_SECONDS
        self._log.error("%s goes on after an unexpected error", self._name, exc_info=error)


def _place(error: Exception) -> tuple[object, ...]:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno) if traceback is not None else ()
    return (type(error), *where)
