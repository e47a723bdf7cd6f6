"""Measures a running service: uploads, first sound, seeks, sockets, and its overhead over separating alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from websockets.sync.client import connect

from bridge.web.service.model_shelf import make_shelf, separator_for
from bridge.web.service.sandbox import decode_song
from bridge.web.service.schemas import SeparationSettings
from stream_sep.errors import BridgeError
from stream_sep.files.demo_song import load_demo_song
from stream_sep.files.tracks import Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_TIMEOUT = 300.0
_SEEKS = 100
_SEED = 1


@dataclass(frozen=True)
class Client:
    """A logged-in program.

    Attributes:
        base: address of the service.
        cookie: of its session.
    """

    base: str
    cookie: str

    def call(
        self, method: str, path: str, data: bytes | None = None, kind: str = "application/octet-stream"
    ) -> bytes:
        """Return the body of an answer.

        Args:
            method: the HTTP method.
            path: below ``/api/v1``.
            data: the request's body.
            kind: its content type.
        """
        headers = {"Cookie": self.cookie, "Origin": self.base, "Content-Type": kind}
        request = urllib.request.Request(f"{self.base}/api/v1{path}", data, headers, method=method)  # noqa: S310 - http only
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
            body: bytes = answer.read()
            return body

    def get(self, path: str) -> dict[str, Any]:
        """Return a JSON answer."""
        found: dict[str, Any] = json.loads(self.call("GET", path))
        return found


def measure_service(model: str, *, clients: int = 20, sockets: int = 200, copies: int = 6) -> dict[str, Any]:
    """Run a service in a temporary folder and measure it.

    Args:
        model: the separator of the song that is timed.
        clients: that upload at once.
        sockets: WebSockets that are open while memory is read.
        copies: how often the demo song is repeated to make the song that is timed.

    Raises:
        BridgeError: the service does not start.
    """
    song = _song_bytes(copies)
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder), model) as (base, process, key):
        client = _sign_up(base, key)
        made = _time_song(client, song)
        found = {"song_seconds": made.pop("seconds"), **made, **_time_pieces(client, made["song"])}
        found.pop("song")
        found |= _time_uploads(client, clients)
        found |= _measure_sockets(client, process.pid, sockets)
    alone = _time_alone(song, model)
    worked = found["worker_seconds"]
    return {**found, "alone_seconds": alone, "overhead_percent": 100 * (worked / alone - 1)}


def _time_song(client: Client, song: bytes) -> dict[str, Any]:
    """Return the time of a song's upload, and until its first piece can be played."""
    _warm_worker(client)
    started = time.perf_counter()
    made = json.loads(client.call("POST", "/songs?name=song.flac", song))
    accepted = time.perf_counter()
    path = f"/songs/{made['id']}"
    _poll(lambda: client.get(path)["job"]["frames_ready"] > 0 or client.get(path)["state"] == "ready")
    client.call("GET", f"{path}/pieces/0") if client.get(path)["state"] == "ready" else _first_piece(client, path)
    playable = time.perf_counter()
    _poll(lambda: _is_ready(client, path), 1.0)  # more often would slow the separator that is timed
    done = client.get(path)
    worked = _seconds(done["job"]["ended"]) - _seconds(done["job"]["started"])
    return {
        "song": path,
        "seconds": done["seconds"],
        "upload_seconds": accepted - started,
        "upload_to_first_piece_seconds": playable - started,
        "worker_seconds": worked,
    }


def _first_piece(client: Client, path: str) -> None:
    def there() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            client.call("GET", f"{path}/pieces/0")
            return True
        return False

    _poll(there)


def _time_pieces(client: Client, path: str) -> dict[str, float]:
    """Return the waiting times of a page that opens a finished song, and that seeks."""
    last = int(client.get(path)["frames"] / client.get(path)["piece_frames"])
    numbers = np.random.default_rng(_SEED).integers(0, last, _SEEKS)
    opened = _times(lambda _: (client.get(path), client.call("GET", f"{path}/pieces/0")), range(10))
    sought = _times(lambda number: client.call("GET", f"{path}/pieces/{number}"), numbers.tolist())
    return {
        "open_to_first_piece_ms": 1000 * float(np.median(opened)),
        "piece_ms_median": 1000 * float(np.median(sought)),
        "piece_ms_p95": 1000 * float(np.percentile(sought, 95)),
    }


def _time_uploads(client: Client, clients: int) -> dict[str, float]:
    """Return how many songs a second are accepted, and how long the slowest of twenty takes."""
    song = _song_bytes(1)
    client.call(
        "PATCH",
        "/admin/settings",
        json.dumps({"max_uploads": 1000, "max_waiting_jobs": 10_000}).encode(),
        "application/json",
    )
    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        took = list(
            pool.map(
                lambda _: _times(lambda _: client.call("POST", "/songs?name=a.flac", song), [0])[0],
                range(2 * clients),
            )
        )
        whole = time.perf_counter() - started
    return {
        "upload_clients": clients,
        "uploads_a_second": 2 * clients / whole,
        "upload_seconds_p95": float(np.percentile(took, 95)),
    }


def _measure_sockets(client: Client, pid: int, count: int) -> dict[str, float]:
    before = _resident_mb(pid)
    address = client.base.replace("http://", "ws://") + "/api/v1/events"
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            headers = {"Cookie": client.cookie, "Origin": client.base}
            socket = connect(address, additional_headers=headers)
            stack.callback(socket.close)
            socket.recv()
        return {"sockets": count, "web_mb": before, "web_mb_with_sockets": _resident_mb(pid)}


def _time_alone(song: bytes, model: str) -> float:
    """Return the seconds of the same work without a service: decode, separate and write, the model loaded before."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "song").write_bytes(song)
        separator = separator_for(SeparationSettings(model=model), make_shelf())
        for timed in (False, True):
            started = time.perf_counter()
            decode_song(out / "song", out, 3600)
            separator.separate(Track(out / "source.flac", out.absolute(), "stems"), lambda _: None)
            if timed:
                return time.perf_counter() - started
    raise AssertionError


def _warm_worker(client: Client) -> None:
    """Have the worker load and compile its model, with a song of its own."""
    made = json.loads(client.call("POST", "/songs?name=warm.flac", _song_bytes(1)))
    _poll(lambda: _is_ready(client, f"/songs/{made['id']}"))


def _is_ready(client: Client, path: str) -> bool:
    song = client.get(path)
    if song["state"] in {"failed", "cancelled"}:
        raise BridgeError(f"the service cannot separate the demo song: {song['error']}")
    return bool(song["state"] == "ready")


@contextlib.contextmanager
def _serving(folder: Path, model: str) -> Iterator[tuple[str, subprocess.Popen[str], str]]:
    command = [sys.executable, "-u", "-m", "stream_sep", "serve", "--data", str(folder / "data"), "--port", "0"]
    with subprocess.Popen([*command, "--model", model], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            base = re.search(r"http://\S+", process.stdout.readline())
            key = re.search(r"#k=(\S+)", process.stdout.readline())
            if base is None or key is None:
                raise BridgeError("the service did not start; try stream-sep serve to see why")
            yield base[0], process, key[1]
        finally:
            process.terminate()
            process.wait(30)


def _sign_up(base: str, key: str) -> Client:
    body = json.dumps({"name": "bench", "password": secrets.token_hex(), "setup": key}).encode()
    headers = {"Content-Type": "application/json", "Origin": base}
    request = urllib.request.Request(f"{base}/api/v1/users", body, headers)  # noqa: S310 - http only
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
        return Client(base, answer.headers["Set-Cookie"].partition(";")[0])


def _song_bytes(copies: int) -> bytes:
    song = load_demo_song()
    file = io.BytesIO()
    soundfile.write(file, np.tile(song.mix, (1, copies)).T, song.sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _times(action: Callable[[Any], object], arguments: Sequence[Any]) -> list[float]:
    took = []
    for argument in arguments:
        started = time.perf_counter()
        action(argument)
        took.append(time.perf_counter() - started)
    return took


def _poll(condition: Callable[[], bool], seconds: float = 0.02) -> None:
    pause, deadline = threading.Event(), time.monotonic() + _TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise BridgeError(f"the service made no progress within {_TIMEOUT:g} s")
        pause.wait(seconds)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
