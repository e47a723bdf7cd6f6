"""What is shown while an engine starts, which takes seconds, and the first time of all longer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from stream_sep.lowlevel.code_cache import on_first_compile

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILING = "compiling for this processor: about 20 s, only this once"


@contextmanager
def starting(what: str) -> Iterator[None]:
    """Show that ``what`` starts, while the block runs; without a terminal, tell only when that takes long."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if not console.is_terminal:
        on_first_compile(lambda: console.print(COMPILING, markup=False))
        yield
        return
    with console.status(f"starting {what}") as status:
        on_first_compile(lambda: status.update(f"starting {what}; {COMPILING}"))
        yield
