"""One browser of the live page: its permissions, its rate limit, and its send queue."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect

from bridge.osc.codec import read_packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from bridge.network import Address
    from bridge.web.live.pairing import Role

MAX_MESSAGE_BYTES = 4096
"""Bytes of one message from a browser."""

MAX_MESSAGES_PER_SECOND = 200
"""Messages that a browser may send in a second; more close the connection."""

_MAX_UNSENT_BYTES = 2**18
_POLICY_VIOLATION = 1008
_FOR_VIEWERS = frozenset({"/ping", "/refresh", "/list"})
_FORBIDDEN = frozenset({"/subscribe", "/unsubscribe", "/meters/rate"})  # the server subscribes, at its own rate


@dataclass(frozen=True)
class Peer:
    """Who is at the other end.

    Attributes:
        role: its permissions.
        name: the kind of browser.
        token: its token; empty on this machine.
    """

    role: Role
    name: str
    token: str = ""


class Connection:
    """A WebSocket to one browser, for the thread of its event loop.

    Args:
        websocket: accepted.
        peer: who is at the other end.
        address: its address in the OSC session.
    """

    def __init__(self, websocket: WebSocket, peer: Peer, address: Address) -> None:
        self.peer, self.address = peer, address
        self._websocket = websocket
        self._unsent: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._unsent_bytes = 0
        self._second, self._count = 0.0, 0

    def send(self, message: bytes | str) -> bool:
        """Queue a message; False if the queue is full and it should be tried again."""
        if self._unsent_bytes > _MAX_UNSENT_BYTES:
            return False
        self._unsent_bytes += len(message)
        self._unsent.put_nowait(message)
        return True

    async def run(self, receive: Callable[[bytes | str], None]) -> None:
        """Send queued messages and pass received ones to ``receive``, until the browser disconnects or is closed."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read(receive)
        except WebSocketDisconnect:
            pass
        finally:
            writer.cancel()

    async def _write(self) -> None:
        while True:
            message = await self._unsent.get()
            if isinstance(message, bytes):
                await self._websocket.send_bytes(message)
            else:
                await self._websocket.send_text(message)
            self._unsent_bytes -= len(message)

    async def _read(self, receive: Callable[[bytes | str], None]) -> None:
        while True:
            event: dict[str, Any] = dict(await self._websocket.receive())
            if event["type"] == "websocket.disconnect":
                return
            message = event.get("bytes")
            message = event["text"] if message is None else message
            if not self._within_rate():
                await self.close(_POLICY_VIOLATION, f"more than {MAX_MESSAGES_PER_SECOND} messages a second")
                return
            receive(message)

    def _within_rate(self) -> bool:
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._second, self._count = now, 0
        self._count += 1
        return self._count <= MAX_MESSAGES_PER_SECOND

    async def close(self, code: int, reason: str) -> None:
        """Close the connection.

        Args:
            code: WebSocket close code.
            reason: for the browser.
        """
        await self._websocket.close(code, reason)


def refusal(packet: bytes, role: Role) -> str:
    """Return why a browser with that role may not send this packet; empty if it may.

    Args:
        packet: an OSC packet.
        role: ``control`` or ``view``.

    >>> from bridge.osc.codec import write_message
    >>> refusal(write_message("/bypass", (1,)), "view"), refusal(write_message("/bypass", (1,)), "control")
    ('this page is read-only', '')
    """
    addresses = {message.address for message in read_packet(packet).messages}  # invalid ones get their reply later
    if addresses & _FORBIDDEN:
        return f"{min(addresses & _FORBIDDEN)} is not for browsers: they are subscribed to everything"
    if role == "view" and not addresses <= _FOR_VIEWERS:
        return "this page is read-only"
    return ""
