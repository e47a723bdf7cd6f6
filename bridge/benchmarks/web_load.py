"""Clients of a service that is killed: each repeats its request until a reply comes, as a real one would."""

from __future__ import annotations

import hashlib
import io
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.benchmarks.web_process import ApiClient, Reply

_AWAY = (OSError, HTTPException)
_AGAIN_SECONDS = 0.2
_PAUSE_SECONDS = 0.5  # between two actions
_REFUSED_AGAIN = frozenset({429, 503, 507})
_PIECES = 3
_RATE = 44100
_ACTIONS = {"upload": 50, "upload_in_pieces": 25, "cancel": 8, "refuse": 7, "delete": 5, "mix": 5}
"""Action of a client -> how often it is chosen, in percent."""


@dataclass
class Record:
    """The replies of the service; threads share it.

    Attributes:
        accepted: digest of the uploaded file, by id of the song.
        gone: songs and uploads whose deletion was confirmed.
        counts: of requests and their results.
        faults: messages on unexpected replies.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class _EndedError(Exception):
    """The client was stopped before it had a reply, or had one that ends it."""


class LoadClient:
    """Uploads, cancels, deletes and mixes songs until it is stopped.

    Args:
        api: whose ``base`` changes when the service is started again.
        record: receives the replies.
        number: of the client; its songs and its choices depend on it.
    """

    def __init__(self, api: ApiClient, record: Record, number: int) -> None:
        self._api, self._record, self._number = api, record, number
        self._dice = random.Random(number)  # noqa: S311 - a client's actions are no secret
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._act_until_stopped, name=f"client {number}", daemon=True)
        self._count = 0
        self._mine: list[str] = []
        self._repeated = False  # whether the last request was broken off before its reply

    def start(self) -> None:
        """Start acting, in its own thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current request."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait until it has stopped, for some seconds at most."""
        self._thread.join(seconds)

    def _act_until_stopped(self) -> None:
        actions: dict[str, Callable[[], None]] = {
            "upload": self._upload,
            "upload_in_pieces": self._upload_in_pieces,
            "cancel": self._cancel,
            "refuse": self._refuse,
            "delete": self._delete,
            "mix": self._mix,
        }
        while not self._ended.is_set():
            action = self._dice.choices(list(_ACTIONS), list(_ACTIONS.values()))[0]
            try:
                actions[action]()
            except _EndedError:
                return
            except Exception as error:  # noqa: BLE001 - it is reported, and fails the run
                self._record.faults.append(f"{action}: {type(error).__name__}: {error}")
            self._ended.wait(_PAUSE_SECONDS)

    def _upload(self) -> None:
        data, key = self._next_song()
        reply = self._request("POST", f"/songs?name={key}.flac", data, Idempotency_Key=key)
        if reply.status == 201:
            self._accept(reply.json()["id"], data, "at once")
        else:
            self._fault(reply, "a song")

    def _upload_in_pieces(self) -> None:
        data, key = self._next_song()
        upload_id = self._begin(data, key)
        step, sent = len(data) // _PIECES + 1, 0
        while (upload := self._read_upload(upload_id))["state"] == "receiving":
            offset = upload["offset"]
            if offset < sent:
                self._record.faults.append(f"upload {upload_id} lost {sent - offset} confirmed bytes")
            piece = data[offset : offset + step]
            reply = self._request("PATCH", f"/uploads/{upload_id}", piece, Upload_Offset=str(offset))
            if reply.status == 200:
                sent = reply.json()["offset"]
            elif reply.status != 409:  # 409: the one before was received, its reply was not
                self._fault(reply, f"a piece of {upload_id}")
                return
        self._accept(upload_id, data, "in pieces")

    def _cancel(self) -> None:
        data, key = self._next_song()
        upload_id = self._begin(data, key)
        self._request("PATCH", f"/uploads/{upload_id}", data[: len(data) // 2], Upload_Offset="0")
        if self._is_gone(self._request("DELETE", f"/uploads/{upload_id}"), f"the end of upload {upload_id}"):
            self._record.gone.add(upload_id)
            self._record.counts["uploads cancelled"] += 1

    def _refuse(self) -> None:
        """Upload a file without audio; nothing may be left of it."""
        _, key = self._next_song()
        reply = self._request("POST", f"/songs?name={key}.flac", b"no sound" * 1000, Idempotency_Key=key)
        if reply.status == 422:
            self._record.counts["uploads refused"] += 1
        else:
            self._fault(reply, "a file that is no audio")

    def _delete(self) -> None:
        if not self._mine:
            return
        song_id = self._mine.pop(self._dice.randrange(len(self._mine)))
        if self._is_gone(self._request("DELETE", f"/songs/{song_id}?forever=true"), f"the end of song {song_id}"):
            self._record.accepted.pop(song_id)
            self._record.gone.add(song_id)
            self._record.counts["songs deleted"] += 1

    def _mix(self) -> None:
        if not self._mine:
            return
        song_id = self._dice.choice(self._mine)
        settings: dict[str, object] = {"master_db": -self._dice.randrange(60)}
        reply = self._request("POST", f"/songs/{song_id}/mixes", settings)
        if reply.status == 202:
            self._record.counts["mixes requested"] += 1
        elif reply.status != 409:  # 409: not separated yet
            self._fault(reply, f"a mix of {song_id}")

    def _begin(self, data: bytes, key: str) -> str:
        body: dict[str, object] = {"name": f"{key}.flac", "size": len(data)}
        reply = self._request("POST", "/uploads", body, Idempotency_Key=key)
        if reply.status != 201:
            self._fault(reply, "the begin of an upload")
            raise _EndedError
        return str(reply.json()["id"])

    def _read_upload(self, upload_id: str) -> dict[str, Any]:
        reply = self._request("GET", f"/uploads/{upload_id}")
        if reply.status != 200:
            self._fault(reply, f"upload {upload_id}")
            raise _EndedError
        upload: dict[str, Any] = reply.json()
        return upload

    def _accept(self, song_id: str, data: bytes, how: str) -> None:
        self._record.accepted[song_id] = hashlib.blake2b(data, digest_size=32).hexdigest()
        self._record.counts[f"songs uploaded {how}"] += 1
        self._mine.append(song_id)

    def _is_gone(self, reply: Reply, what: str) -> bool:
        """Whether a deletion was confirmed, now or by a reply that was broken off."""
        if reply.status == 204 or (reply.status == 404 and self._repeated):
            return True
        self._fault(reply, what)
        return False

    def _request(
        self, method: str, path: str, body: bytes | dict[str, object] | None = None, **headers: str
    ) -> Reply:
        """Return the reply; repeat the request while the service is away or has no room."""
        self._repeated = False
        while not self._ended.is_set():
            try:
                reply = self._api.request(method, path, body, **headers)
            except _AWAY:
                self._record.counts["requests broken off"] += 1
                self._repeated = True
            else:
                self._record.counts["replies"] += 1
                if reply.status not in _REFUSED_AGAIN:
                    return reply
                self._record.counts["requests refused for now"] += 1
            self._ended.wait(_AGAIN_SECONDS)
        raise _EndedError

    def _fault(self, reply: Reply, what: str) -> None:
        self._record.faults.append(f"{what}: {reply.status} {reply.body[:200].decode(errors='replace')}")

    def _next_song(self) -> tuple[bytes, str]:
        """Return another song of noise, and its idempotency key."""
        self._count += 1
        key = f"song-{self._number}-{self._count}"
        seconds = self._dice.uniform(0.3, 3.0)
        noise = np.random.default_rng((self._number, self._count)).uniform(-0.3, 0.3, (round(seconds * _RATE), 2))
        file = io.BytesIO()
        soundfile.write(file, noise, _RATE, format="FLAC")
        return file.getvalue(), key
