"""The signals that end a program: Ctrl-C, SIGTERM, a closed terminal."""

from __future__ import annotations

import signal


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the system's signals that end a program; without SIGHUP where it is ignored, as under nohup."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [signal.Signals[name] for name in names]
    hang_up = getattr(signal, "SIGHUP", None)
    return tuple(number for number in numbers if number != hang_up or signal.getsignal(number) is not signal.SIG_IGN)
