"""The processes of a service: the web server here, with its workers, or a worker alone."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn
from sqlalchemy import delete

from bridge.web.security import is_loopback
from bridge.web.service.accounts import has_users
from bridge.web.service.app import make_site
from bridge.web.service.context import open_service
from bridge.web.service.demo import add_demo
from bridge.web.service.invitations import new_link
from bridge.web.service.reconcile import reconcile
from bridge.web.service.tables import Invitation
from bridge.web.service.worker import run_worker
from bridge.web.service.worker_pool import pass_database_on
from stream_sep.errors import BridgeError, ConfigError
from stream_sep.lowlevel.stop_signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bridge.web.service.config import ServiceConfig
    from bridge.web.service.context import Service

SETUP_SECONDS = 3600.0
_MAX_CONNECTIONS = 400
_MAX_MESSAGE = 1 << 16


class _Server(uvicorn.Server):
    """A server that returns on a signal.

    uvicorn's own raises the signal again, which would end the process before its workers have ended.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop the server on signals, as long as it runs."""
        before = {number: signal.signal(number, self.handle_exit) for number in stop_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_all(
    config: ServiceConfig,
    workers: AbstractContextManager[object],
    report: Callable[[str], None],
    *,
    insecure_http: bool,
) -> None:
    """Serve until a signal ends it.

    Args:
        config: of the service.
        workers: a `WorkerPool` or `RayWorkers`, which runs meanwhile.
        report: callback that receives the address, and the set-up link while there is no admin.
        insecure_http: whether passwords may be sent over a network unencrypted.

    Raises:
        ConfigError: they would be, without `insecure_http`.
        BridgeError: the port is taken.
        DatabaseError: the database cannot be reached.
    """
    check_exposure(config, insecure_http=insecure_http)
    with contextlib.closing(open_service(config)) as service:
        pass_database_on(config)
        with workers:
            serve_web(service, report)


def run_only_worker(config: ServiceConfig) -> None:
    """Run a worker in this process until a signal ends it.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with contextlib.closing(open_service(config)) as service:
        run_worker(service)


def run_only_workers(workers: AbstractContextManager[object]) -> None:
    """Keep workers running that are not in this process, until SIGINT or SIGTERM.

    Args:
        workers: `RayWorkers`.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with workers:
        ended.wait()


def check_exposure(config: ServiceConfig, *, insecure_http: bool) -> None:
    """Check that passwords are not sent over a network unencrypted, and that clients of a proxy are distinguished.

    Args:
        config: settings of the server.
        insecure_http: whether plain HTTP is allowed.

    Raises:
        ConfigError: the address can be reached by others without HTTPS, or the proxy's address is missing or invalid.
    """
    if not (is_loopback(config.host) or config.https or insecure_http):
        raise ConfigError(
            f"--host {config.host} would send passwords over the network unencrypted; put a proxy with HTTPS in "
            "front, with --https --trusted-proxy ADDRESS, or use --insecure-http in a network you trust"
        )
    if config.https and not config.trusted_proxy:
        raise ConfigError(
            "--https without --trusted-proxy would give every client the address of the proxy: all would share one "
            "rate limit, and with a proxy on this machine anybody could read /metrics; add --trusted-proxy and its "
            "address, such as 127.0.0.1"
        )
    if config.trusted_proxy and not _is_network(config.trusted_proxy):
        raise ConfigError(f"--trusted-proxy {config.trusted_proxy!r} is not an IP address; use one such as 127.0.0.1")


def serve_web(service: Service, report: Callable[[str], None]) -> None:
    """Serve until a signal ends it; then wait for requests to end, ten seconds at most.

    Args:
        service: the service.
        report: callback that receives the address, and the set-up link while there is no admin.

    Raises:
        BridgeError: the port is taken.
    """
    reconcile(service)
    config = service.config
    with _listen(config.host, config.port) as listener:
        port = listener.getsockname()[1]
        scheme = "https" if config.https else "http"
        name = config.public_hosts[0] if config.public_hosts else _shown(config.host)
        base = f"{scheme}://{name}" + ("" if config.https else f":{port}")
        report(f"stream_sep serves songs at {base}")
        if (path := setup_path(service)) is not None:
            report(f"create the admin's account within an hour: {base}{path}")
        if config.demo_song:
            add_demo(service)
        _Server(_uvicorn_config(service)).run([listener])


def setup_path(service: Service) -> str | None:
    """Return the path of a new set-up link while there is no admin; earlier ones become invalid."""
    with service.database.write() as session:
        if has_users(session):
            return None
        session.execute(delete(Invitation).where(Invitation.kind == "setup"))
        return new_link(service, session, "setup", seconds=SETUP_SECONDS).path


def _uvicorn_config(service: Service) -> uvicorn.Config:
    config = service.config
    return uvicorn.Config(
        make_site(service),
        lifespan="on",
        log_level="warning",
        access_log=False,  # paths of share links are secrets
        server_header=False,
        proxy_headers=bool(config.trusted_proxy),
        forwarded_allow_ips=config.trusted_proxy or "",
        limit_concurrency=_MAX_CONNECTIONS,
        ws_max_size=_MAX_MESSAGE,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
    )


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise BridgeError(f"cannot listen at {host} port {port}: {error.strerror}; choose another --port") from error


def _shown(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
