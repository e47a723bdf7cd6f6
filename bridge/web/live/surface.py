"""The live page as a control surface: started and stopped beside the engine, on its own thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING

from bridge.osc.session import ReceiveLog
from bridge.web.live.pairing import Devices, Pairing, Role
from bridge.web.requirements import check_live_page
from bridge.web.security import is_loopback, own_addresses, own_hosts
from stream_sep.errors import BridgeError, reason

if TYPE_CHECKING:
    from pathlib import Path

    import uvicorn

    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

DEFAULT_PORT = 9190
_CLOSE_SECONDS = 1
_RESTARTING = 1001
_MAX_REQUESTS = 200


class LivePage:
    """Serves faders to browsers.

    On 127.0.0.1 everybody on this machine may move them. On any other address browsers have to pair with a key.

    Args:
        mixer: the mixer.
        host: address to listen at; ``0.0.0.0`` admits phones on the network.
        port: TCP port; 0 takes a free one.
        read_only: browsers may view but change nothing.
        meter_rate: meter messages per second.
        devices: file of the paired devices.

    Raises:
        BridgeError: a package is missing.
    """

    def __init__(
        self,
        mixer: MixerControl,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        read_only: bool = False,
        meter_rate: float = 20.0,
        devices: Path | None = None,
    ) -> None:
        check_live_page()
        self._mixer, self._host, self._port = mixer, host, port
        self._read_only, self._meter_rate = read_only, meter_rate
        self._pairing = None if is_loopback(host) else Pairing(Devices(devices), read_only=read_only)
        self._receive_log = ReceiveLog()
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port; once started, the actual one instead of 0."""
        return self._port if self._thread is None else self._bound_port

    @property
    def last(self) -> str:
        """The last message, such as ``/stem/vocals/fader 0.75``."""
        return str(self._receive_log)

    @property
    def errors(self) -> int:
        """Count of invalid messages."""
        return self._receive_log.errors

    @property
    def address(self) -> str:
        """The address for a browser, without a key."""
        return f"http://{_reachable(self._host)}:{self.port}/"

    def link(self, role: Role = "control") -> str:
        """Return an address that pairs the browser which opens it; on this machine, the plain one.

        The key is in the fragment, which browsers do not send: it is in no log and no ``Referer``.
        """
        if self._pairing is None:
            return self.address
        return f"{self.address}#k={self._pairing.new_key(role).text}"

    def start(self) -> None:
        """Serve on its own thread; harmless when started.

        Raises:
            BridgeError: the port is taken, or the host is not one of this machine's.
        """
        if self._thread is not None:
            return
        listening = _bound(self._host, self._port)
        self._bound_port = int(listening.getsockname()[1])
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        thread = threading.Thread(target=self._main, args=(listening, started), name="live-page", daemon=True)
        thread.start()
        try:
            started.result()
        except Exception as error:
            thread.join()
            raise BridgeError(f"the live page cannot start: {error}") from error
        self._thread = thread

    def stop(self) -> None:
        """Release the port and end the thread; harmless when stopped."""
        if self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # already ended
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def _main(self, listening: socket.socket, started: concurrent.futures.Future[None]) -> None:
        try:
            with listening:
                asyncio.run(self._run(listening, started))
        except Exception as error:  # noqa: BLE001 - raised by `start`, or logged
            if started.done():
                _log.exception("the live page ended")
            else:
                started.set_exception(error)

    async def _run(self, listening: socket.socket, started: concurrent.futures.Future[None]) -> None:
        from bridge.web.assets import Assets  # noqa: PLC0415 - Starlette is optional
        from bridge.web.live.app import Gate, live_app  # noqa: PLC0415 - as above
        from bridge.web.live.session import LiveSession  # noqa: PLC0415 - as above

        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        gate = Gate(self._pairing, read_only=self._read_only)
        session = LiveSession(self._mixer, self._receive_log, gate.is_admitted, meter_rate=self._meter_rate)
        server = _server(live_app(session, gate, Assets(), own_hosts(self._host)))
        tasks = [asyncio.create_task(work()) for work in (session.run, session.expel_revoked)]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        started.set_result(None)
        await asyncio.wait([asyncio.create_task(self._stopping.wait()), serving], return_when="FIRST_COMPLETED")
        await session.close_all(_RESTARTING, "the engine is stopping")
        for task in tasks:
            task.cancel()
        server.should_exit = True
        await serving


def _server(app: object) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415 - optional

    from bridge.web.live.connection import MAX_MESSAGE_BYTES  # noqa: PLC0415 - Starlette is optional

    config = uvicorn.Config(
        app,  # type: ignore[arg-type] # Starlette's own type of an application
        loop="asyncio",
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_REQUESTS,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    return uvicorn.Server(config)


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise BridgeError(
            f"cannot bind TCP port {port} at {host} for the live page: {reason(error)}; "
            "choose another --web-port or stop the program using it"
        ) from error


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        host = next(iter(own_addresses()), "127.0.0.1")
    return f"[{host}]" if ":" in host else host
