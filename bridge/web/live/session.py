"""All browsers at the live page, as clients of one OSC session."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import math
from typing import TYPE_CHECKING

from bridge.osc.codec import write_message
from bridge.osc.namespace import Group
from bridge.osc.session import OscSession
from bridge.web.live.connection import Connection, Peer, refusal
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from bridge.network import Address
    from bridge.osc.namespace import Node
    from bridge.osc.session import ReceiveLog
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 32
"""Browsers at one time."""

_CHECK_SECONDS = 3.0

NOT_PAIRED, TRY_LATER = 4401, 1013
"""Codes that a WebSocket is closed with."""


class LiveSession:
    """Moves a mixer as browsers say and tells them what changed; for the thread of one event loop.

    Args:
        mixer: what is moved.
        reception: keeps what came in last and counts what made no sense.
        is_let_in: says whether a peer may still be here.
        meter_rate: rounds of meters a second.
    """

    def __init__(
        self,
        mixer: MixerControl,
        reception: ReceiveLog,
        is_let_in: Callable[[Peer], bool],
        *,
        meter_rate: float = 20.0,
    ) -> None:
        self._mixer, self._reception, self._is_let_in = mixer, reception, is_let_in
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._connections: dict[Address, Connection] = {}
        self._numbers = itertools.count(1)
        self._meter_rate = meter_rate
        self._osc = OscSession(
            mixer, self._send, self._wake, reception, meter_rate=meter_rate, tell_tree=self._tell_tree
        )

    async def run(self) -> None:
        """Tell browsers what is due, until cancelled."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._mixer.controls.subscribe(self._osc.feedback.changed))
            stack.callback(self._mixer.controls.subscribe_tree(self._osc.tree_changed))
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._osc.next_deadline)
                self._woken.clear()
                try:
                    self._osc.run_due()
                except Exception:  # noqa: BLE001 - one broken reading may not end all feedback
                    self._reception.errors += 1
                    _log.exception("the live page goes on after an error of its own")

    async def serve(self, websocket: WebSocket, peer: Peer) -> None:
        """Converse with a browser until it goes.

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
            self._tell_peers()
            await connection.run(lambda message: self._receive(message, connection))
        finally:
            del self._connections[connection.address]
            client = self._osc.clients.of(connection.address)
            if client is not None:
                self._osc.clients.drop(client)
            self._tell_peers()

    async def expel_revoked(self) -> None:
        """Send browsers away that may no longer be here, until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            for connection in tuple(self._connections.values()):
                if not self._is_let_in(connection.peer):
                    await connection.close(NOT_PAIRED, "this device is paired no more")

    async def close_all(self, code: int, reason: str) -> None:
        """Send every browser away.

        Args:
            code: WebSocket close code.
            reason: for the browser.
        """
        for connection in tuple(self._connections.values()):
            with contextlib.suppress(RuntimeError):  # gone in between
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

    def _tell_tree(self, added: tuple[Node, ...], removed: tuple[Node, ...]) -> None:
        told = json.dumps({"tree": self._tree(), "stems": self._mixer.stems})
        for connection in self._connections.values():
            connection.send(told)
            for address, nodes in (("/list/removed", removed), ("/list/added", added)):
                for node in nodes:
                    connection.send(write_message(address, (node.address,)))

    def _tell_peers(self) -> None:
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
            self._refuse(connection, reason)
        else:
            self._osc.receive([(message, connection.address)])
        self._woken.set()

    def _receive_text(self, text: str, connection: Connection) -> None:
        try:
            told = json.loads(text)
            on = told["meters"]
        except (ValueError, LookupError, TypeError, RecursionError):
            on = None
        if not isinstance(on, bool):
            self._refuse(connection, f'{text[:80]!r} is not {{"meters": true}} or {{"meters": false}}')
            return
        self._set_meters(connection, on=on)

    def _set_meters(self, connection: Connection, *, on: bool) -> None:
        mask = Group.EVERYTHING if on else Group.EVERYTHING & ~Group.METERS
        with contextlib.suppress(BridgeError):  # as many clients as connections fit
            client = self._osc.clients.subscribe(connection.address, connection.address, mask)
            client.expires = math.inf  # as long as the connection
        self._woken.set()

    def _refuse(self, connection: Connection, sentence: str) -> None:
        self._reception.errors += 1
        connection.send(write_message("/error", (sentence.replace("\0", ""),)))


def _finite(bound: float | None) -> float | None:
    return bound if bound is not None and math.isfinite(bound) else None
