"""Measures a running service: uploads, first sound, seeks, sockets, and its overhead over separating alone."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from websockets.sync.client import connect

from bridge.benchmarks.web_process import log_in, make_admin, run_service, wait_until_ready
from bridge.web.service.model_shelf import make_shelf, separator_for
from bridge.web.service.requests import SeparationSettings
from bridge.web.service.sandbox import decode_song
from stream_sep.errors import BridgeError
from stream_sep.evaluation.signals import resident_bytes
from stream_sep.files.demo_song import load_demo_song
from stream_sep.files.tracks import Track

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.benchmarks.web_process import ApiClient, RunningService

_TIMEOUT = 300.0
_POLL_SECONDS = 0.02
_SEEKS = 100
_SEED = 1


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
    with tempfile.TemporaryDirectory() as folder, run_service(Path(folder) / "data", "--model", model) as running:
        api = make_admin(running)
        wait_until_ready(api, _upload(api, _song_bytes(1)), _TIMEOUT)  # the worker loads and compiles its model
        path, found = _time_song(api, song)
        found |= _time_pieces(api, path) | _time_uploads(api, clients) | _measure_sockets(running, sockets)
    alone = _time_alone(song, model)
    return {**found, "alone_seconds": alone, "overhead_percent": 100 * (found["worker_seconds"] / alone - 1)}


def _time_song(api: ApiClient, song: bytes) -> tuple[str, dict[str, float]]:
    """Upload a song; return its path, and the times until it is accepted, plays, and is separated."""
    started = time.perf_counter()
    song_id = _upload(api, song)
    accepted = time.perf_counter()
    path = f"/songs/{song_id}"
    _wait_for_first_piece(api, path)
    playable = time.perf_counter()
    wait_until_ready(api, song_id, _TIMEOUT)
    done = api.require("GET", path).json()
    return path, {
        "song_seconds": done["seconds"],
        "upload_seconds": accepted - started,
        "upload_to_first_piece_seconds": playable - started,
        "worker_seconds": _seconds(done["job"]["ended"]) - _seconds(done["job"]["started"]),
    }


def _wait_for_first_piece(api: ApiClient, path: str) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while api.request("GET", f"{path}/pieces/0").status != 200:
        if time.monotonic() > deadline:
            raise BridgeError(f"no piece of the song was separated within {_TIMEOUT:g} s")
        time.sleep(_POLL_SECONDS)


def _time_pieces(api: ApiClient, path: str) -> dict[str, float]:
    """Return the waiting times of a page that opens a finished song, and that seeks."""
    song = api.require("GET", path).json()
    numbers = np.random.default_rng(_SEED).integers(0, int(song["frames"] / song["piece_frames"]), _SEEKS)
    opened = [_time(api.require, "GET", path) + _time(api.require, "GET", f"{path}/pieces/0") for _ in range(10)]
    sought = [_time(api.require, "GET", f"{path}/pieces/{number}") for number in numbers]
    return {
        "open_to_first_piece_ms": 1000 * float(np.median(opened)),
        "piece_ms_median": 1000 * float(np.median(sought)),
        "piece_ms_p95": 1000 * float(np.percentile(sought, 95)),
    }


def _time_uploads(api: ApiClient, clients: int) -> dict[str, float]:
    """Return how many songs a second are accepted, and how long the slowest of twenty takes."""
    song = _song_bytes(1)
    api.require("PATCH", "/admin/settings", {"max_uploads": 1000, "max_waiting_jobs": 10_000})
    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        took = list(pool.map(lambda _: _time(_upload, api, song), range(2 * clients)))
        whole = time.perf_counter() - started
    return {
        "upload_clients": clients,
        "uploads_a_second": 2 * clients / whole,
        "upload_seconds_p95": float(np.percentile(took, 95)),
    }


def _measure_sockets(running: RunningService, count: int) -> dict[str, float]:
    before = _resident_mb(running)
    headers = {"Cookie": log_in(running.base), "Origin": running.base}
    address = running.base.replace("http://", "ws://") + "/api/v1/events"
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(connect(address, additional_headers=headers)).recv()
        return {"sockets": count, "web_mb": before, "web_mb_with_sockets": _resident_mb(running)}


def _upload(api: ApiClient, song: bytes) -> str:
    """Upload a song in one request; return its id."""
    return str(api.require("POST", "/songs?name=song.flac", song).json()["id"])


def _time_alone(song: bytes, model: str) -> float:
    """Return the seconds of the same work without a service: decode, separate and write, the model loaded before."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "song").write_bytes(song)
        separator = separator_for(SeparationSettings(model=model), make_shelf())

        def work() -> None:
            decode_song(out / "song", out, 3600)
            separator.separate(Track(out / "source.flac", out.absolute(), "stems"), lambda _: None)

        work()
        return _time(work)


def _song_bytes(copies: int) -> bytes:
    song = load_demo_song()
    file = io.BytesIO()
    soundfile.write(file, np.tile(song.mix, (1, copies)).T, song.sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _time(action: Callable[..., object], *arguments: object) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - started


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _resident_mb(running: RunningService) -> float:
    return (resident_bytes(running.process.pid) or 0) / 1e6
