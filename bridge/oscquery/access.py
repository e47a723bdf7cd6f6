"""Access control for web pages: only those that the user names, for any page can reach a local port.

A page of another site sends a foreign ``Origin``; one that reaches this machine under its own name (DNS rebinding)
sends a foreign ``Host``. Programs other than browsers send no ``Origin``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable


class Access:
    """Checks the headers of requests.

    Args:
        bind: the address or name that the server listens at.
        origins: pages that may read and set values, such as ``http://localhost:3000``.

    >>> access = Access("0.0.0.0", ["https://surface.example"])
    >>> access.is_own_host("192.168.1.7:9180"), access.is_own_host("rebound.example:9180")
    (True, False)
    >>> access.allows_origin("https://surface.example", "192.168.1.7:9180")
    True
    >>> access.allows_origin("https://evil.example", "192.168.1.7:9180")
    False
    """

    def __init__(self, bind: str, origins: Iterable[str] = ()) -> None:
        self._names = {bind.lower(), "localhost", socket.gethostname().lower()}
        self._origins = {origin.rstrip("/").lower() for origin in origins}

    def is_own_host(self, host: str) -> bool:
        """Return whether a ``Host`` header is one of this machine's own names.

        Args:
            host: the header, with or without a port; empty if there was none.

        Returns:
            Whether it is an address, this machine's name, or a name of the local network (``.local``).
        """
        name = _name(host)
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name)
            return True
        return not host or name in self._names or name.endswith((".local", ".localhost"))

    def allows_origin(self, origin: str | None, host: str) -> bool:
        """Return whether a page may read and set values.

        Args:
            origin: the ``Origin`` header; None if there was none, as with programs other than browsers.
            host: the ``Host`` header.

        Returns:
            Whether there is no page, or it is our own, or one that the user named.
        """
        if origin is None or origin.rstrip("/").lower() in self._origins:
            return True
        with contextlib.suppress(ValueError):
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()
        return False


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")
