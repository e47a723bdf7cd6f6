"""The common base of the OSC servers: host and port, address prefix, and counts of messages."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from bridge.network import checked_port
from bridge.osc.feedback import MAX_METER_RATE
from bridge.osc.session import ReceiveLog
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from bridge.protocols import MixerControl


class NetworkSurface(ABC):
    """A control surface that listens at a port of this machine. A `bridge.protocols.Surface`.

    Args:
        mixer: the mixer to control.
        host: address to listen at; ``0.0.0.0`` opens it to the whole network.
        port: to listen at; 0 takes a free one.
        port_option: the command-line option of the port, for error messages.
        meter_rate: meter messages per second; 0 is none.
        prefix: of every address, such as ``/stem_sep``, where many programs share a network.

    Raises:
        BridgeError: a port, a rate or a prefix is invalid.
    """

    def __init__(
        self,
        mixer: MixerControl,
        host: str,
        port: int,
        *,
        port_option: str,
        meter_rate: float = 20.0,
        prefix: str = "",
    ) -> None:
        if not (math.isfinite(meter_rate) and 0 <= meter_rate <= MAX_METER_RATE):
            raise BridgeError(f"--meter-rate {meter_rate} is not in 0..{MAX_METER_RATE:g} a second")
        self._mixer, self._host, self._port = mixer, host, checked_port(port, port_option)
        self._meter_rate, self._prefix = meter_rate, checked_prefix(prefix)
        self._received = ReceiveLog()

    @property
    @abstractmethod
    def port(self) -> int:
        """The port; with 0, the free one it took, once started."""

    @property
    def last(self) -> str:
        """The last received message, such as ``/stem/vocals/fader 0.75``."""
        return str(self._received)

    @property
    def errors(self) -> int:
        """Number of invalid messages."""
        return self._received.errors

    @abstractmethod
    def start(self) -> None:
        """Listen and give feedback, on a thread; harmless when started.

        Raises:
            BridgeError: the port is taken, or the host is not one of this machine's.
        """

    @abstractmethod
    def stop(self) -> None:
        """Release the port and end the thread; harmless when stopped."""


def checked_prefix(prefix: str) -> str:
    """Return a prefix as addresses begin with it.

    Args:
        prefix: such as ``/stem_sep``; empty for none.

    Returns:
        The prefix without a slash at its end.

    Raises:
        BridgeError: it is not an address.

    >>> checked_prefix("/stem_sep/")
    '/stem_sep'
    """
    stripped = prefix.rstrip("/")
    if stripped and (not stripped.startswith("/") or set(stripped) & set(" #*,?[]{}\\0")):
        raise BridgeError(f"the OSC prefix {prefix!r} is not an address, such as /stem_sep")
    return stripped
