"""OSCQuery's requests and replies over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bridge.oscquery.mdns import is_wildcard
from bridge.oscquery.tree import KNOWN, SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.oscquery.access import Access
    from bridge.oscquery.tree import Json, Tree

_COMMANDS = ("LISTEN", "IGNORE", "PATH_ADDED", "PATH_REMOVED")
_EXTENSIONS = (*(name for name in SUPPORTED if name not in ("FULL_PATH", "CONTENTS", "TYPE")), *_COMMANDS)
_HEADERS = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Vary": "Origin"}


@dataclass(frozen=True)
class Reply:
    """A reply over HTTP.

    Attributes:
        status: such as 200.
        body: JSON, or empty.
        headers: by name.
    """

    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def is_error(self) -> bool:
        """Whether the request was invalid or forbidden."""
        return self.status in (400, 403, 421)


class QueryHandler:
    """Replies to requests.

    Args:
        tree: the addresses there are.
        access: checks the headers of requests.
        name: of this program, for users.
        host: address that the servers are bound to.
        port: of this server.
        osc_port: UDP port of OSC; 0 if there is none.
    """

    def __init__(self, tree: Tree, access: Access, *, name: str, host: str, port: int, osc_port: int) -> None:
        self._tree, self._access = tree, access
        self._name, self._host, self._port, self._osc_port = name, host, port, osc_port

    def reply(self, target: str, headers: Iterable[tuple[str, str]]) -> Reply | None:
        """Return the reply to a request.

        Args:
            target: path and query, as received.
            headers: of the request.

        Returns:
            The reply; None for an allowed WebSocket.
        """
        found: dict[str, list[str]] = {}
        for name, value in headers:
            found.setdefault(name.lower(), []).append(value)
        host, origin = (found.get(name, []) for name in ("host", "origin"))
        if len(host) > 1 or len(origin) > 1:
            return Reply(400, "", _HEADERS)
        if not self._access.is_own_host(host[0] if host else ""):
            return Reply(421, "", _HEADERS)
        if not self._access.allows_origin(origin[0] if origin else None, host[0] if host else ""):
            return Reply(403, "", _HEADERS)
        if found.get("upgrade", [""])[0].lower() == "websocket":
            return None
        allowed = {"Access-Control-Allow-Origin": origin[0]} if origin else {}
        status, body = self._status_and_body(target)
        return Reply(status, json.dumps(body) if status == 200 else "", {**_HEADERS, **allowed})

    def _status_and_body(self, target: str) -> tuple[int, Json]:
        try:
            parts = urlsplit(target)
        except ValueError:
            return 400, {}
        attribute = parts.query.partition("&")[0].partition("=")[0]
        if attribute == "HOST_INFO":
            return 200, self._host_info()
        node = self._tree.describe(unquote(parts.path))
        if node is None:
            return 404, {}
        if not attribute:
            return 200, node
        if attribute not in KNOWN:
            return 400, {}
        return (200, {attribute: node[attribute]}) if attribute in node else (204, {})

    def _host_info(self) -> Json:
        info: Json = {"NAME": self._name, "EXTENSIONS": dict.fromkeys(_EXTENSIONS, True)}
        if self._osc_port:
            info |= {"OSC_PORT": self._osc_port, "OSC_TRANSPORT": "UDP"}
        if not is_wildcard(self._host):  # else a client keeps the address of its request
            info |= {"OSC_IP": self._host, "WS_IP": self._host}
        return info | {"WS_PORT": self._port}
