"""``python -m stream_sep`` is ``stream-sep``: ready for Ctrl-C before anything else is imported."""

import atexit
import contextlib
import os
import signal
import sys

_BY_SIGNAL = 128  # exit codes above it are of commands that a signal ended


def main() -> None:
    """Run the command line; a signal during its import ends the program at once, as nothing has started yet."""
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), _leave)
    from stream_sep.cli import main as run  # noqa: PLC0415 - takes a second, for which the handlers are

    try:
        run()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > _BY_SIGNAL:
            _leave_threads(end.code)
        raise


def _leave(number: int, _frame: object) -> None:
    os._exit(_BY_SIGNAL + number)


def _leave_threads(code: int) -> None:
    """End the program in order, but without Python's finalization.

    A thread that still compiles or prints may abort the process while Python finalizes.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - which has no public name
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a closed pipe, or none
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
