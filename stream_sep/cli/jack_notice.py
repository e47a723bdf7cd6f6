"""A word to people whose JACK ports are not connected: they hear nothing, and nothing is wrong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_SECONDS = 8.0
"""How long people have to connect ports before they are told to."""


class ConnectedPorts(Protocol):
    """What is asked of a JACK client; `stream_sep.backends.jack.JackBackend` is one."""

    @property
    def client_name(self) -> str:
        """The name that the server gave."""
        ...

    @property
    def connected_ports(self) -> frozenset[str]:
        """Short names of the ports of ours that are connected."""
        ...


def unconnected_notice(ports: ConnectedPorts) -> str:
    """Return what to tell people about ports that are not connected.

    Args:
        ports: of the JACK client.

    Returns:
        A sentence; empty if a player and an output are connected.
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
    ports: ConnectedPorts, report: Callable[[str], None], seconds: float = WAIT_SECONDS
) -> Callable[[], None]:
    """Tell people once, a while from now, if ports are not connected by then.

    Args:
        ports: of the JACK client.
        report: told the sentence, on another thread.
        seconds: how long to wait.

    Returns:
        What keeps it from being told.
    """

    def tell() -> None:
        if notice := unconnected_notice(ports):
            report(notice)

    timer = threading.Timer(seconds, tell)
    timer.daemon = True
    timer.start()
    return timer.cancel
