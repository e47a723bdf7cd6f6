"""A service in a separate process, and requests to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.web.service.worker_pool import DATABASE_VARIABLE
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message
    from pathlib import Path

_START_SECONDS = 180.0
_END_SECONDS = 60.0
_POLL_SECONDS = 0.05
_READY_POLL_SECONDS = 0.5
_PIECE_BYTES = 8 << 20
_REQUEST_SECONDS = 120.0
_NAME, _PASSWORD = "bench", "three random words"  # of an account on this machine that goes with its folder


@dataclass(frozen=True)
class RunningService:
    """A service that runs.

    Attributes:
        process: the web process; its workers are its children.
        base: its address.
        setup: key of the set-up link; empty once there is an admin.
    """

    process: subprocess.Popen[bytes]
    base: str
    setup: str


@dataclass
class Reply:
    """The reply to a request.

    Attributes:
        status: of HTTP.
        headers: by name.
        body: as received.
    """

    status: int
    headers: Message[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return the body's JSON."""
        return json.loads(self.body)


@dataclass
class ApiClient:
    """A program that uses the API.

    Attributes:
        base: address of the service; it may change while the service is down.
        headers: of every request.
    """

    base: str
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self, method: str, path: str, body: bytes | Mapping[str, object] | None = None, **headers: str
    ) -> Reply:
        """Return the reply to a request, with any status.

        Args:
            method: the HTTP method.
            path: below ``/api/v1``.
            body: bytes, or a value that is sent as JSON.
            headers: more headers, by name with ``_`` for ``-``.

        Raises:
            OSError: the service did not reply, or broke off.
            HTTPException: the same.
        """
        raw = isinstance(body, (bytes, type(None)))
        kind = "application/octet-stream" if raw else "application/json"
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = {"Content-Type": kind, "Origin": self.base, **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.base}/api/v1{path}", data, sent, method=method)  # noqa: S310 - http only
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_SECONDS) as reply:  # noqa: S310 - as above
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.headers, error.read())

    def require(
        self, method: str, path: str, body: bytes | Mapping[str, object] | None = None, **headers: str
    ) -> Reply:
        """Return the reply to a request that must succeed.

        Args:
            method: the HTTP method.
            path: below ``/api/v1``.
            body: bytes, or a value that is sent as JSON.
            headers: as for `request`.

        Raises:
            BridgeError: the request was refused.
        """
        reply = self.request(method, path, body, **headers)
        if reply.status >= 400:
            raise BridgeError(f"{method} {path} was refused: {reply.status} {reply.body[:200].decode()}")
        return reply


@contextlib.contextmanager
def run_service(data: Path, *options: str, database: str = "") -> Iterator[RunningService]:
    """Run ``stream-sep serve`` on a free port, and end it.

    Args:
        data: its folder; its output is written beside it, to ``serve.log``.
        options: further options.
        database: URL of its database; SQLite in the folder unless given.

    Raises:
        BridgeError: it did not start.
    """
    command = [sys.executable, "-P", "-u", "-m", "stream_sep", "serve", "--data", str(data), "--port", "0", *options]
    temporary = data.with_name(f"{data.name}-tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, DATABASE_VARIABLE: database, "TMPDIR": str(temporary)}
    log = data.with_name("serve.log")
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,  # noqa: S603 - our own program
    ):
        try:
            base, setup = _wait_for_start(process, log)
            yield RunningService(process, base, setup)
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def make_admin(running: RunningService) -> ApiClient:
    """Make the admin of a new service; return a client with a token that may write.

    Raises:
        BridgeError: the service has an admin already.
    """
    account = {"name": _NAME, "password": _PASSWORD, "setup": running.setup}
    cookie = _cookie(ApiClient(running.base).require("POST", "/users", account))
    browser = ApiClient(running.base, {"Cookie": cookie})
    token = browser.require("POST", "/me/tokens", {"name": _NAME, "scope": "write"}).json()["secret"]
    return ApiClient(running.base, {"Authorization": f"Bearer {token}"})


def log_in(base: str) -> str:
    """Return the cookie of a browser session of the admin that `make_admin` made.

    Args:
        base: address of the service.

    Raises:
        BridgeError: the log-in was refused.
    """
    return _cookie(ApiClient(base).require("POST", "/session", {"name": _NAME, "password": _PASSWORD}))


def _cookie(reply: Reply) -> str:
    return reply.headers["Set-Cookie"].partition(";")[0]


def upload_file(api: ApiClient, path: Path) -> str:
    """Upload a file in pieces; return the id of its song.

    Args:
        api: a client that may write.
        path: the file.

    Raises:
        BridgeError: it was refused.
    """
    body = {"name": path.name, "size": path.stat().st_size}
    upload_id, offset = str(api.require("POST", "/uploads", body).json()["id"]), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            api.require("PATCH", f"/uploads/{upload_id}", piece, Upload_Offset=str(offset))
            offset += len(piece)
    return upload_id


def wait_until_ready(api: ApiClient, song_id: str, seconds: float) -> None:
    """Wait until a song is separated.

    Args:
        api: a client of its owner.
        song_id: the song.
        seconds: how long it may take.

    Raises:
        BridgeError: it failed, or took longer.
    """
    deadline = time.monotonic() + seconds
    while (song := api.require("GET", f"/songs/{song_id}").json())["state"] != "ready":
        if song["state"] in {"failed", "cancelled"} or time.monotonic() > deadline:
            raise BridgeError(f"the song is {song['state']} {song['error']}".strip())
        time.sleep(_READY_POLL_SECONDS)


def _wait_for_start(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    """Return the address and the key of the set-up link, as the service prints them before it accepts requests."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        text = log.read_text("utf-8", errors="replace")
        found = re.search(r"serves songs at (http://\S+)", text)
        if found is not None and _responds(found[1]):
            key = re.search(r"/setup#k=(\S+)", log.read_text("utf-8"))  # printed before it replies
            return found[1], key[1] if key else ""
        if process.poll() is not None or time.monotonic() > deadline:
            raise BridgeError(f"the service did not start: {text.strip() or 'it printed nothing'}; see {log}")
        time.sleep(_POLL_SECONDS)


def _responds(base: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{base}/healthz", timeout=2):  # noqa: S310 - http only
        return True
    return False
