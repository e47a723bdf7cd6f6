"""A hint when the JACK ports are not connected, so that nothing plays without an error."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_SECONDS = 8.0
"""Seconds until the hint is shown."""

POLL_SECONDS = 1.0
"""Seconds between two checks of the ports, after the hint."""


class ConnectedPorts(Protocol):
    """The ports of a JACK client; `stream_sep.backends.jack.JackBackend` implements it."""

    @property
    def client_name(self) -> str:
        """The client's name on the server."""
        ...

    @property
    def connected_ports(self) -> frozenset[str]:
        """Short names of the client's connected ports."""
        ...


def unconnected_notice(ports: ConnectedPorts) -> str:
    """Return a hint about ports that are not connected.

    Args:
        ports: of the JACK client.

    Returns:
        The hint; empty if a player and an output are connected.
    """
    name, connected = ports.client_name, ports.connected_ports
    ends = []
    if not any(port.startswith("in_") for port in connected):
        ends.append(f"no player is connected to {name}:in_L and {name}:in_R")
    if not any(not port.startswith("in_") for port in connected):
        ends.append(f"{name}:mix_L and {name}:mix_R are connected to nothing")
    remedy = "connect them in qpwgraph or qjackctl, or start with --auto-connect"
    return f"{', and '.join(ends)}: {remedy}" if ends else ""


def report_if_unconnected(
    ports: ConnectedPorts, report: Callable[[str], None], seconds: float = WAIT_SECONDS, poll: float = POLL_SECONDS
) -> Callable[[], None]:
    """Report once, after ``seconds``, if ports are not connected by then, and once more when they are.

    Args:
        ports: of the JACK client.
        report: callback that receives the hint, on another thread.
        seconds: how long to wait.
        poll: seconds between two checks of the ports after the hint.

    Returns:
        A function that cancels it.
    """
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.wait(seconds) or not (notice := unconnected_notice(ports)):
            return
        report(notice)
        while not cancelled.wait(poll):
            if not unconnected_notice(ports):
                report(f"the input and the output of {ports.client_name} are connected now")
                return

    threading.Thread(target=check, name="JACK notice", daemon=True).start()
    return cancelled.set
