"""``python -m stream_sep`` is ``stream-sep``: ready for Ctrl-C before anything else is imported."""

import os
import signal


def main() -> None:
    """Run the command line; a signal during its import ends the program at once, as nothing has started yet."""
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), _leave)
    from stream_sep.cli import main as run  # noqa: PLC0415 - takes a second, for which the handlers are

    run()


def _leave(number: int, _frame: object) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
