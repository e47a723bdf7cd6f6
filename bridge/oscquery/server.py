"""OSCQuery: clients query addresses over HTTP, and listen and write over a WebSocket on the same port."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from bridge.network import is_loopback
from bridge.osc.clients import MAX_CLIENTS, MAX_PER_HOST
from bridge.osc.codec import write_message
from bridge.osc.network_surface import NetworkSurface
from bridge.osc.session import OscSession
from bridge.oscquery.access import Access
from bridge.oscquery.connection_log import connection_log
from bridge.oscquery.http import QueryHandler
from bridge.oscquery.mdns import MdnsService, require_module
from bridge.oscquery.tree import Tree
from bridge.unexpected import UnexpectedErrors
from stream_sep.errors import BridgeError, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.network import Address
    from bridge.osc.node import Node
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

DEFAULT_PORT = 9180
_MAX_UNSENT = 2**18
_MAX_MESSAGE = 2**16
_HANDSHAKE_SECONDS = 5


class OscQueryServer(NetworkSurface):
    """Serves the addresses and values of a mixer to OSCQuery clients, which may set them.

    Args:
        mixer: the mixer to control.
        host: address to listen at; ``0.0.0.0`` opens it to the whole network.
        port: TCP port for HTTP and WebSocket; 0 takes a free one.
        osc_port: UDP port of the `OscServer` beside it, announced to clients; 0 if there is none.
        name: that clients list.
        prefix: of every address, the same as that `OscServer` has.
        meter_rate: meter messages per second.
        announce: whether to announce it on the local network.
        origins: web pages that may read and set values, such as ``http://localhost:3000``; no others may.

    Raises:
        BridgeError: a package is missing, or a port or prefix is invalid.
    """

    def __init__(
        self,
        mixer: MixerControl,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        osc_port: int = 0,
        name: str = "stream_sep",
        prefix: str = "",
        meter_rate: float = 20.0,
        announce: bool = True,
        origins: Sequence[str] = (),
    ) -> None:
        super().__init__(mixer, host, port, port_option="--oscquery-port", meter_rate=meter_rate, prefix=prefix)
        self._websockets = require_module("websockets.asyncio.server")
        if announce:
            require_module("zeroconf")
        self._osc_port, self._name, self._announce = osc_port, name, announce
        self._access = Access(host, origins)
        self._connections: dict[Address, Any] = {}
        self._unexpected = UnexpectedErrors(_log, "OSCQuery")
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port; with 0, the free one it took, once started."""
        return self._port if self._thread is None else self._bound_port

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
        except OSError as error:
            thread.join()
            raise BridgeError(
                f"cannot bind TCP port {self._port} at {self._host} for OSCQuery: {reason(error)}; "
                "choose another --oscquery-port or stop the program using it"
            ) from error
        self._thread = thread

    def stop(self) -> None:
        """Release the port and end the thread; harmless when stopped."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def _main(self, started: concurrent.futures.Future[None]) -> None:
        try:
            asyncio.run(self._run(started))
        except Exception as error:  # noqa: BLE001 - passed to the caller of start, or logged
            if started.done():
                self._unexpected.note(error)
            else:
                started.set_exception(error)

    async def _run(self, started: concurrent.futures.Future[None]) -> None:
        self._loop, self._stopping, self._woken = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._session = OscSession(
            self._mixer,
            self._send,
            self._wake,
            self._received,
            prefix=self._prefix,
            meter_rate=self._meter_rate,
            on_tree_change=self._send_tree_changes,
            max_per_host=MAX_CLIENTS if is_loopback(self._host) else MAX_PER_HOST,
        )
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._server())
            self._bound_port = int(next(iter(server.sockets)).getsockname()[1])
            self._update_tree()
            stack.callback(self._mixer.controls.subscribe(self._session.feedback.changed))
            stack.callback(self._mixer.controls.subscribe_tree(self._session.tree_changed))
            stack.callback(asyncio.create_task(self._send_feedback()).cancel)
            if self._announce:
                service = MdnsService(self._name, self._host, self._bound_port, self._osc_port)
                stack.push_async_callback(service.unregister)
                stack.callback(asyncio.create_task(service.register()).cancel)
            started.set_result(None)
            await self._stopping.wait()

    def _update_tree(self) -> None:
        self._tree = Tree(self._mixer, self._session.nodes, self._prefix)
        self._queries = QueryHandler(
            self._tree,
            self._access,
            name=self._name,
            host=self._host,
            port=self._bound_port,
            osc_port=self._osc_port,
        )

    def _server(self) -> Any:  # noqa: ANN401 - websockets is imported when needed
        return self._websockets.serve(
            self._handle_connection,
            self._host,
            self._port,
            process_request=self._respond,
            max_size=_MAX_MESSAGE,
            compression=None,
            open_timeout=_HANDSHAKE_SECONDS,
            close_timeout=1,
            logger=connection_log(_log),
        )

    async def _send_feedback(self) -> None:
        while True:
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._session.next_deadline)
                self._woken.clear()
                self._session.run_due()
            except Exception as error:  # noqa: BLE001 - one broken reading may not end all feedback
                self._received.errors += 1
                self._unexpected.note(error)
                await asyncio.sleep(0.01)

    def _send_tree_changes(self, added: tuple[Node, ...], removed: tuple[Node, ...]) -> None:
        self._update_tree()
        for command, nodes in (("PATH_REMOVED", removed), ("PATH_ADDED", added)):
            for node in nodes:
                text = json.dumps({"COMMAND": command, "DATA": self._prefix + node.address})
                self._websockets.broadcast(self._connections.values(), text)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # at the end
            self._loop.call_soon_threadsafe(self._woken.set)

    def _respond(self, connection: Any, request: Any) -> Any:  # noqa: ANN401 - as above
        try:
            reply = self._queries.reply(request.path, request.headers.raw_items())
        except Exception as error:  # noqa: BLE001 - an error in one request must not stop the others
            self._unexpected.note(error)
            self._received.errors += 1
            return connection.respond(500, "")
        if reply is None:
            return None
        self._received.errors += reply.is_error
        response = connection.respond(reply.status, reply.body)
        del response.headers["Content-Type"]
        for name, value in reply.headers.items():
            response.headers[name] = value
        return response

    async def _handle_connection(self, connection: Any) -> None:  # noqa: ANN401 - as above
        if connection.remote_address is None:  # it was closed meanwhile
            return
        address: Address = tuple(connection.remote_address)
        try:
            client = self._session.clients.join(address)
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
            self._session.clients.drop(client)

    def _receive(self, message: str | bytes, address: Address) -> None:
        if isinstance(message, bytes):
            self._session.receive([(message, address)])
            return
        try:
            command = json.loads(message)
            listening = {"LISTEN": True, "IGNORE": False}[command["COMMAND"]]
            nodes = self._tree.below(command["DATA"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            nodes = []
        if not nodes:
            self._received.errors += 1
            error = f'{message[:80]!r} is not {{"COMMAND": "LISTEN", "DATA": "/an/address"}} nor IGNORE'
            self._send(address, write_message(f"{self._prefix}/error", (error.encode("ascii", "replace").decode(),)))
            return
        self._session.clients.listen(address, nodes, listening=listening)

    def _send(self, address: Address, packet: bytes) -> bool:
        connection = self._connections.get(address)
        if connection is None:
            return True
        if connection.transport.get_write_buffer_size() > _MAX_UNSENT:
            return False
        self._websockets.broadcast([connection], packet)
        return True
