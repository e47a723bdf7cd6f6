"""Loading without a network: detected at once, instead of after half a minute of retries."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "huggingface.co"
_PORT = 443
_SECONDS = 3.0
_OTHER_WAYS = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HF_ENDPOINT")
"""Variables that name another source of weights, which a connection to `HOST` does not test."""


def is_reachable() -> bool:
    """Return whether a download of weights may work; waits three seconds at most for a connection."""
    if any(os.environ.get(name) for name in _OTHER_WAYS):
        return True
    try:
        socket.create_connection((HOST, _PORT), _SECONDS).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def without_retries() -> Iterator[None]:
    """Load only local files if there is no network, so that a missing file fails at once."""
    if is_reachable():
        yield
        return
    from huggingface_hub import constants  # noqa: PLC0415 - comes with Demucs

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        with (
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):  # torch prints a progress bar, also for a download that fails
            yield
    finally:
        constants.HF_HUB_OFFLINE = before
