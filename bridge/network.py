"""Ports and addresses as users write them, checked before a socket sees them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, Any, TypeAlias

from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Address: TypeAlias = tuple[Any, ...]
"""Host and port of a socket, as the socket module writes them."""

MAX_PORT = 65535


def checked_port(port: int, option: str) -> int:
    """Return a port that exists; the system would take 99999 for 34463.

    Args:
        port: 0 to 65535, 0 being any free one.
        option: of the command line, for the error message.

    Returns:
        The same port.

    Raises:
        BridgeError: there is no such port.

    >>> checked_port(9137, "--osc-port")
    9137
    """
    if not 0 <= port <= MAX_PORT:
        raise BridgeError(f"{option} {port} is not a port; ports are 1 to {MAX_PORT}")
    return port


def parse_target(target: str | tuple[str, int]) -> tuple[str, int]:
    """Return host and port of ``host:port``.

    Args:
        target: such as ``192.168.1.20:9138`` or ``[::1]:9138``, or the pair itself.

    Returns:
        Host, without brackets, and port.

    Raises:
        BridgeError: it is neither.

    >>> parse_target("[::1]:9138")
    ('::1', 9138)
    """
    host, port = target if isinstance(target, tuple) else target.rpartition(":")[::2]
    if not host or not str(port).isdecimal() or not 0 < int(port) <= MAX_PORT:
        raise BridgeError(f"the OSC target {target!r} is not host:port, such as 192.168.1.20:9138")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach, or be, ``host``.

    Args:
        host: an address or a name; an IPv6 zone is ignored.

    Returns:
        True for ``127.0.0.0/8``, ``::1`` and ``localhost``.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("stage.local")
    (True, False, False)
    """
    if host.lower() == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return _ip(host).is_loopback
    return False


def is_local_network(host: str) -> bool:
    """Return whether an address belongs to this machine or to a private network, which routers do not forward.

    Args:
        host: an address.

    Returns:
        Whether it is loopback, private or link-local.

    >>> is_local_network("192.168.1.20"), is_local_network("8.8.8.8")
    (True, False)
    """
    with contextlib.suppress(ValueError):
        address = _ip(host)
        return address.is_private or address.is_loopback or address.is_link_local
    return False


def network_filter(networks: Iterable[str]) -> Callable[[str], bool]:
    """Return a predicate: whether an address is in one of ``networks``.

    Args:
        networks: each an address, ``192.168.1.20``, or a network, ``192.168.1.0/24``.

    Returns:
        A predicate for addresses.

    Raises:
        BridgeError: one is neither.

    >>> network_filter(["192.168.1.0/24"])("192.168.1.20")
    True
    """
    parsed = []
    for network in networks:
        try:
            parsed.append(ipaddress.ip_network(network, strict=False))
        except ValueError as error:
            raise BridgeError(f"{network!r} is not an address or a network, such as 192.168.1.0/24") from error

    def contains(host: str) -> bool:
        with contextlib.suppress(ValueError):
            return any(_ip(host) in network for network in parsed)
        return False

    return contains


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def resolve_udp(host: str, port: int, family: int = socket.AF_UNSPEC) -> tuple[int, Address]:
    """Return the address family and the socket address of a UDP port.

    Args:
        host: a name or an address.
        port: checked already.
        family: of the socket that is to send there.

    Returns:
        The family and the first address found.

    Raises:
        OSError: the name is unknown.
    """
    found, *_, address = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0]
    return found, tuple(address)
