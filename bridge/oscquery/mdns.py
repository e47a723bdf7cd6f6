"""Announces a mixer on the local network by multicast DNS, so that clients list it by name."""

from __future__ import annotations

import importlib
import logging
import socket
from typing import TYPE_CHECKING, Any

from stream_sep.errors import BridgeError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from types import ModuleType

_log = logging.getLogger(__name__)


def require_module(module: str) -> ModuleType:
    """Import a module of the extra ``oscquery``.

    Raises:
        BridgeError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise BridgeError(f"OSCQuery needs {package}; {install_hint('oscquery')}") from error


class MdnsService:
    """The name of a mixer on the local network, by multicast DNS.

    Args:
        name: that clients list.
        host: address that the servers are bound to.
        http_port: TCP port of OSCQuery.
        osc_port: UDP port of OSC; 0 if there is none.

    Raises:
        BridgeError: the package zeroconf is not installed.
    """

    def __init__(self, name: str, host: str, http_port: int, osc_port: int) -> None:
        self._zeroconf, self._asyncio = require_module("zeroconf"), require_module("zeroconf.asyncio")
        self._host = host
        services = [("_oscjson._tcp.local.", http_port), ("_osc._udp.local.", osc_port)]
        self._services = [self._service(name, kind, port) for kind, port in services if port]
        self._running: Any = None

    def _service(self, name: str, kind: str, port: int) -> Any:  # noqa: ANN401 - zeroconf is imported when needed
        addresses = [socket.inet_aton(address) for address in _addresses(self._host)]
        return self._zeroconf.ServiceInfo(
            kind, f"{name}.{kind}", port, addresses=addresses, properties={"txtvers": "1"}
        )

    async def register(self) -> None:
        """Announce; a network without multicast is logged and does no harm."""
        try:
            self._running = self._asyncio.AsyncZeroconf(
                interfaces=self._interfaces, ip_version=self._zeroconf.IPVersion.V4Only
            )
            for service in self._services:
                await self._running.async_register_service(service, allow_name_change=True)
        except (OSError, self._zeroconf.Error) as error:
            _log.warning("OSCQuery is not announced on the network: %s", error)

    async def unregister(self) -> None:
        """Take the announcement back."""
        if self._running is not None:
            running, self._running = self._running, None
            await running.async_close()

    @property
    def _interfaces(self) -> Any:  # noqa: ANN401 - as above
        return self._zeroconf.InterfaceChoice.Default if is_wildcard(self._host) else _addresses(self._host)


def is_wildcard(host: str) -> bool:
    """Return whether a host is every address of this machine, and so none to give to others."""
    return host in ("", "0.0.0.0", "::")  # noqa: S104 - a comparison


def _addresses(host: str) -> list[str]:
    """Return where others reach a host; every address of this machine's for ``0.0.0.0``."""
    if is_wildcard(host):
        own = [ip.ip for adapter in require_module("ifaddr").get_adapters() for ip in adapter.ips if ip.is_IPv4]
        return [address for address in own if not address.startswith("127.")] or own
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return ["127.0.0.1"]
    return sorted({str(entry[4][0]) for entry in found})
