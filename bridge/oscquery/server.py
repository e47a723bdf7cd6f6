"""OSCQuery: clients ask over HTTP what there is, and listen and write over a WebSocket on the same port."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bridge.osc.codec import write_message
from bridge.osc.server import checked_prefix
from bridge.osc.session import OscDesk, Reception
from bridge.oscquery.mdns import Announcement, everywhere, needed
from bridge.oscquery.tree import KNOWN, SUPPORTED, Json, Tree
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from bridge.osc.clients import Address
    from bridge.osc.namespace import Node
    from bridge.protocols import Desk

_log = logging.getLogger(__name__)

DEFAULT_PORT = 9180
_MOST_UNSENT = 2**18
_LARGEST_MESSAGE = 2**16
_COMMANDS = ("LISTEN", "IGNORE", "PATH_ADDED", "PATH_REMOVED")
_EXTENSIONS = (*(name for name in SUPPORTED if name not in ("FULL_PATH", "CONTENTS", "TYPE")), *_COMMANDS)


class OscQueryServer:
    """Tells OSCQuery clients what a desk has, and lets them move it.

    Args:
        desk: what is moved.
        host: address to listen at; ``0.0.0.0`` lets the whole network in.
        port: TCP port for HTTP and WebSocket; 0 takes a free one.
        osc_port: UDP port of the `OscServer` beside it, for clients to be told of; 0 if there is none.
        name: what clients list it as.
        prefix: what every address begins with, as that `OscServer` has it.
        meter_rate: rounds of meters a second.
        announce: say on the local network that it is there.

    Raises:
        BridgeError: a package is missing.
    """

    def __init__(
        self,
        desk: Desk,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        osc_port: int = 0,
        name: str = "stream_sep",
        prefix: str = "",
        meter_rate: float = 20.0,
        announce: bool = True,
    ) -> None:
        self._websockets = needed("websockets.asyncio.server")
        if announce:
            needed("zeroconf")
        self._desk, self._host, self._port, self._osc_port, self._name = desk, host, port, osc_port, name
        self._prefix, self._meter_rate, self._announce = checked_prefix(prefix), meter_rate, announce
        self._reception = Reception()
        self._connections: dict[Address, Any] = {}
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port, once started the one that 0 became."""
        return self._port if self._thread is None else self._bound_port

    @property
    def last(self) -> str:
        """What was received last, such as ``/stem/vocals/fader 0.75``."""
        return str(self._reception)

    @property
    def errors(self) -> int:
        """How many messages made no sense."""
        return self._reception.errors

    def start(self) -> None:
        """Listen and give feedback, on a thread; harmless when started.

        Raises:
            BridgeError: the port is taken, or the host is not one of this machine's.
        """
        if self._thread is not None:
            return
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        thread = threading.Thread(target=self._main, args=(started,), name="oscquery", daemon=True)
        thread.start()
        try:
            started.result()
        except (OSError, OverflowError) as error:
            thread.join()
            raise BridgeError(
                f"TCP port {self._port} at {self._host} cannot be had for OSCQuery: {error}; "
                "try another --oscquery-port, or end what has it"
            ) from error
        self._thread = thread

    def stop(self) -> None:
        """Let go of the port and the thread; harmless when stopped."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def _main(self, started: concurrent.futures.Future[None]) -> None:
        try:
            asyncio.run(self._run(started))
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the start, or logged
            if started.done():
                _log.exception("OSCQuery ended")
            else:
                started.set_exception(error)

    async def _run(self, started: concurrent.futures.Future[None]) -> None:
        self._loop, self._stopping, self._woken = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._osc = OscDesk(
            self._desk,
            self._send,
            self._wake,
            self._reception,
            prefix=self._prefix,
            meter_rate=self._meter_rate,
            tell_tree=self._tell_tree,
        )
        self._tree = Tree(self._desk, self._osc.nodes, self._prefix)
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._server())
            self._bound_port = int(next(iter(server.sockets)).getsockname()[1])
            stack.callback(self._desk.controls.subscribe(self._osc.feedback.changed))
            stack.callback(self._desk.controls.watch(self._osc.grown))
            stack.callback(asyncio.create_task(self._tell_changes()).cancel)
            if self._announce:
                announcement = Announcement(self._name, self._host, self._bound_port, self._osc_port)
                stack.push_async_callback(announcement.end)
                stack.callback(asyncio.create_task(announcement.begin()).cancel)
            started.set_result(None)
            await self._stopping.wait()

    def _server(self) -> Any:  # noqa: ANN401 - websockets is imported when needed
        return self._websockets.serve(
            self._converse,
            self._host,
            self._port,
            process_request=self._respond,
            max_size=_LARGEST_MESSAGE,
            compression=None,
            close_timeout=1,
        )

    async def _tell_changes(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._osc.feedback.due)
            self._woken.clear()
            try:
                self._osc.work()
            except Exception:  # noqa: BLE001 - one broken reading may not end all feedback
                self._reception.errors += 1
                _log.exception("OSCQuery goes on after an error of its own")

    def _tell_tree(self, added: tuple[Node, ...], removed: tuple[Node, ...]) -> None:
        self._tree = Tree(self._desk, self._osc.nodes, self._prefix)
        for command, nodes in (("PATH_REMOVED", removed), ("PATH_ADDED", added)):
            for node in nodes:
                told = json.dumps({"COMMAND": command, "DATA": self._prefix + node.address})
                self._websockets.broadcast(self._connections.values(), told)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # at the end
            self._loop.call_soon_threadsafe(self._woken.set)

    # HTTP

    def _respond(self, connection: Any, request: Any) -> Any:  # noqa: ANN401 - as above
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        parts = urlsplit(request.path)
        status, body = self._answer(unquote(parts.path), parts.query)
        response = connection.respond(status, json.dumps(body) if status == 200 else "")
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    def _answer(self, path: str, query: str) -> tuple[int, Json]:
        attribute = query.partition("&")[0].partition("=")[0]
        if attribute == "HOST_INFO":
            return 200, self._host_info()
        node = self._tree.describe(path)
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
        if not everywhere(self._host):  # else a client goes on with the address it reached us at
            info |= {"OSC_IP": self._host, "WS_IP": self._host}
        return info | {"WS_PORT": self._bound_port}

    # WebSocket

    async def _converse(self, connection: Any) -> None:  # noqa: ANN401 - as above
        address: Address = tuple(connection.remote_address)
        try:
            client = self._osc.clients.join(address)
        except BridgeError as error:
            await connection.close(1013, str(error))
            return
        self._connections[address] = connection
        try:
            async for message in connection:
                self._receive(message, address)
                self._woken.set()
        finally:
            del self._connections[address]
            self._osc.clients.drop(client)

    def _receive(self, message: str | bytes, address: Address) -> None:
        if isinstance(message, bytes):
            self._osc.receive([(message, address)])
            return
        try:
            command = json.loads(message)
            listening = {"LISTEN": True, "IGNORE": False}[command["COMMAND"]]
            nodes = self._tree.below(command["DATA"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            nodes = []
        if not nodes:
            self._reception.errors += 1
            sentence = f'{message[:80]!r} is no {{"COMMAND": "LISTEN", "DATA": "/an/address"}} nor IGNORE'
            self._send(address, write_message(f"{self._prefix}/error", (sentence,)))
            return
        self._osc.clients.listen(address, nodes, listening=listening)

    def _send(self, address: Address, packet: bytes) -> bool:
        connection = self._connections.get(address)
        if connection is None:
            return True
        if connection.transport.get_write_buffer_size() > _MOST_UNSENT:
            return False
        self._websockets.broadcast([connection], packet)
        return True
