"""The status that is shown while an engine starts, which takes seconds, and longer the first time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPILING = "compiling for this processor: about 20 s, only this once"
_COMPILE_NOTICE_SECONDS = 2.0


@contextmanager
def starting(what: str) -> Iterator[None]:
    """Show that ``what`` starts, while the block runs; without a terminal, print only if compiling takes long."""
    from stream_sep.lowlevel.code_cache import remove_stale_code  # which imports Numba

    remove_stale_code()
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if not console.is_terminal:
        with _when_compiling(lambda: console.print(COMPILING, markup=False)):
            yield
        return
    with (
        console.status(f"starting {what}") as status,
        _when_compiling(lambda: status.update(f"starting {what}; {COMPILING}")),
    ):
        yield


@contextmanager
def _when_compiling(notify: Callable[[], None]) -> Iterator[None]:
    """Call ``notify`` some seconds after the first function is compiled, unless the block has ended by then."""
    from stream_sep.lowlevel.code_cache import on_first_compile

    timer = threading.Timer(_COMPILE_NOTICE_SECONDS, notify)
    timer.daemon = True
    on_first_compile(timer.start)
    try:
        yield
    finally:
        timer.cancel()
