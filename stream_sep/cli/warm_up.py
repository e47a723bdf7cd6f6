"""``stream-sep warm-up``: compile all code before the first start."""

from __future__ import annotations

import importlib.util
import threading
import time
from dataclasses import replace
from typing import Annotated

import typer

from stream_sep.cli.arguments import choose_model
from stream_sep.cli.startup import starting
from stream_sep.separators import DEFAULT_FOR_SONGS, short_name

_RUN_SECONDS = 0.5


def warm_up(
    model: Annotated[str, typer.Option(help="separator to compile for, see 'models list'")] = DEFAULT_FOR_SONGS,
) -> None:
    """Compile the audio code for this processor now. The first start would otherwise take about 20 s for it."""
    from stream_sep.backends.paced import PacedBackend
    from stream_sep.engine.engine import Engine

    # the default separator for songs includes that for live input, and takes no longer to compile
    config, started = choose_model(model, "", {}), time.monotonic()
    beside = threading.Thread(target=_compile_for_jack, daemon=True)  # which a signal does not wait for
    with starting(short_name(str(config.model))):
        beside.start()
        config = replace(config, taps=(lambda _block: None,))  # which need the recorder's code
        with Engine(PacedBackend(), config, report=lambda _message: None):  # of late hops, while all is compiled
            time.sleep(_RUN_SECONDS)
        beside.join()
    print(f"compiled for this processor in {time.monotonic() - started:.0f} s")


def _compile_for_jack() -> None:
    if importlib.util.find_spec("jack") is not None:
        from stream_sep.backends.callback import jack_callback

        jack_callback()
