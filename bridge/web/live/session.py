"""All browsers of the live page, as clients of one OSC session."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import math
from typing import TYPE_CHECKING

from bridge.osc.codec import write_message
from bridge.osc.node import Group
from bridge.osc.session import OscSession
from bridge.web.live.connection import Connection, Peer, refusal
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from bridge.network import Address
    from bridge.osc.node import Node
    from bridge.osc.session import ReceiveLog
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 32
"""Browsers at one time."""

_CHECK_SECONDS = 3.0

NOT_PAIRED, TRY_LATER = 4401, 1013
"""Close codes of WebSockets."""


class LiveSession:
    """Applies browsers' messages to a mixer and sends them its changes; for the thread of one event loop.

    Args:
        mixer: the mixer.
        log: keeps the last message and counts invalid ones.
        is_admitted: returns whether a peer is still admitted.
        meter_rate: meter messages per second.
    """

    def __init__(
        self,
        mixer: MixerControl,
        log: ReceiveLog,
        is_admitted: Callable[[Peer], bool],
        *,
        meter_rate: float = 20.0,
    ) -> None:
        self._mixer, self._receive_log, self._is_admitted = mixer, log, is_admitted
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._connections: dict[Address, Connection] = {}
        self._numbers = itertools.count(1)
        self._meter_rate = meter_rate
        self._osc = OscSession(
            mixer, self._send, self._wake, log, meter_rate=meter_rate, on_tree_change=self._send_tree
        )

    async def run(self) -> None:
        """Send due messages to browsers, until cancelled."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._mixer.controls.subscribe(self._osc.feedback.changed))
            stack.callback(self._mixer.controls.subscribe_tree(self._osc.tree_changed))
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._osc.next_deadline)
                self._woken.clear()
                try:
                    self._osc.run_due()
                except Exception:  # noqa: BLE001 - one error must not end all feedback
                    self._receive_log.errors += 1
                    _log.exception("the live page continues after an unexpected error")

    async def serve(self, websocket: WebSocket, peer: Peer) -> None:
        """Handle a browser's messages until it disconnects.

        Args:
            websocket: the connection.
            peer: address of the browser.
        """
        if len(self._connections) >= MAX_CONNECTIONS:
            await websocket.close(TRY_LATER, f"{MAX_CONNECTIONS} browsers are connected; close one")
            return
        connection = Connection(websocket, peer, ("browser", next(self._numbers)))
        connection.send(self._hello(peer))
        self._connections[connection.address] = connection
        try:
            self._set_meters(connection, on=True)
            self._send_peers()
            await connection.run(lambda message: self._receive(message, connection))
        finally:
            del self._connections[connection.address]
            client = self._osc.clients.of(connection.address)
            if client is not None:
                self._osc.clients.drop(client)
            self._send_peers()

    async def expel_revoked(self) -> None:
        """Disconnect browsers that are no longer admitted, until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            for connection in tuple(self._connections.values()):
                if not self._is_admitted(connection.peer):
                    await connection.close(NOT_PAIRED, "this device is no longer paired")

    async def close_all(self, code: int, reason: str) -> None:
        """Disconnect every browser.

        Args:
            code: WebSocket close code.
            reason: for the browser.
        """
        for connection in tuple(self._connections.values()):
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                await connection.close(code, reason)

    # to browsers

    def _hello(self, peer: Peer) -> str:
        about = {"hello": 1, "role": peer.role, "stems": self._mixer.stems, "meter_rate": self._meter_rate}
        return json.dumps(about | {"tree": self._tree()})

    def _tree(self) -> list[dict[str, object]]:
        return [
            {
                "address": node.address,
                "types": node.types,
                "low": _finite(node.low),
                "high": _finite(node.high),
                "unit": node.unit,
                "description": node.description,
                "writable": bool(node.path),
            }
            for node in self._osc.nodes
        ]

    def _send_tree(self, added: tuple[Node, ...], removed: tuple[Node, ...]) -> None:
        message = json.dumps({"tree": self._tree(), "stems": self._mixer.stems})
        for connection in self._connections.values():
            connection.send(message)
            for address, nodes in (("/list/removed", removed), ("/list/added", added)):
                for node in nodes:
                    connection.send(write_message(address, (node.address,)))

    def _send_peers(self) -> None:
        peers = [{"name": one.peer.name, "role": one.peer.role} for one in self._connections.values()]
        for connection in self._connections.values():
            you = list(self._connections).index(connection.address)
            connection.send(json.dumps({"peers": peers, "you": you}))

    def _send(self, address: Address, packet: bytes) -> bool:
        connection = self._connections.get(address)
        return connection is None or connection.send(packet)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # at the end
            self._loop.call_soon_threadsafe(self._woken.set)

    # from browsers

    def _receive(self, message: bytes | str, connection: Connection) -> None:
        if isinstance(message, str):
            self._receive_text(message, connection)
        elif reason := refusal(message, connection.peer.role):
            self._reject(connection, reason)
        else:
            self._osc.receive([(message, connection.address)])
        self._woken.set()

    def _receive_text(self, text: str, connection: Connection) -> None:
        try:
            on = json.loads(text)["meters"]
        except (ValueError, LookupError, TypeError, RecursionError):
            on = None
        if not isinstance(on, bool):
            self._reject(connection, f'{text[:80]!r} is not {{"meters": true}} or {{"meters": false}}')
            return
        self._set_meters(connection, on=on)

    def _set_meters(self, connection: Connection, *, on: bool) -> None:
        mask = Group.EVERYTHING if on else Group.EVERYTHING & ~Group.METERS
        with contextlib.suppress(BridgeError):  # there is a client for every connection
            client = self._osc.clients.subscribe(connection.address, connection.address, mask)
            client.expires = math.inf  # as long as the connection
        self._woken.set()

    def _reject(self, connection: Connection, reason: str) -> None:
        self._receive_log.errors += 1
        connection.send(write_message("/error", (reason.replace("\0", ""),)))


def _finite(bound: float | None) -> float | None:
    return bound if bound is not None and math.isfinite(bound) else None
