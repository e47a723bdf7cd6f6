"""A whole service under load, its processes killed again and again: nothing that was accepted may be lost.

Three kills unless STREAM_SEP_KILLS sets the number.
"""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import threading
import time
import urllib.error

import pytest
from processes import children_of
from serving import call, serving
from web_service import PASSWORD, broken_promises, song_bytes

from bridge.web.service.reconcile import reconcile
from bridge.web.service.tables import Song

KILLS = int(os.environ.get("STREAM_SEP_KILLS", "3"))
TIMEOUT = 120 + 20 * KILLS
AWAY = (urllib.error.URLError, ConnectionError, TimeoutError, OSError, ValueError)


class Load:
    """Uploads songs as fast as they are accepted, and records their ids."""

    def __init__(self):
        self.base, self.cookie, self.accepted, self.error = "", "", {}, None
        self.stopped = threading.Event()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            data = song_bytes(1.0, seed=number)
            headers = {"Cookie": self.cookie, "Idempotency-Key": f"song {number}"}
            while not self.stopped.is_set():
                headers["Origin"] = self.base
                try:
                    song = json.loads(call("POST", f"{self.base}/api/v1/songs?name=a.flac", data, **headers)[1])
                except AWAY as error:
                    self.error = error
                    self.stopped.wait(0.2)
                else:
                    self.accepted[song["id"]] = hashlib.blake2b(data, digest_size=32).hexdigest()
                    break
            self.stopped.wait(1.0)


@pytest.mark.skipif(os.environ.get("STREAM_SEP_TEST_DATABASE") == "postgresql", reason="the service here has SQLite")
def test_nothing_accepted_is_lost_whatever_is_killed_when(service, tmp_path):
    data, dice, load, kills = service.data.root, random.Random(7), Load(), 0
    thread = threading.Thread(target=load.run, daemon=True)
    while kills < KILLS:
        with serving(data, "--model", "passthrough") as (server, base, key):
            load.base = base
            if key:
                account = {"name": "ada", "password": PASSWORD, "setup": key}
                headers, _ = call("POST", f"{base}/api/v1/users", account, Origin=base)
                load.cookie = headers["Set-Cookie"].partition(";")[0]
                thread.start()
            while kills < KILLS:
                time.sleep(dice.uniform(0.2, 6.0))
                kills += 1
                if kills % 2 == 0:
                    server.kill()
                    break
                for worker in children_of(server.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
    load.stopped.set()
    thread.join(60)
    let_it_end(service)
    reconcile(service)
    with service.database.read() as session:
        songs = {song.id: song for song in session.query(Song)}
    assert set(load.accepted) <= set(songs)
    assert {songs[i].state for i in load.accepted} <= {"ready", "failed"}
    assert [i for i, digest in load.accepted.items() if songs[i].state == "ready" and songs[i].digest != digest] == []
    assert broken_promises(service) == []
    assert len(load.accepted) >= KILLS / 4, load.error


def let_it_end(service):
    """Run the service until no job is left."""
    with serving(service.data.root, "--model", "passthrough"):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            with service.database.read() as session:
                if session.query(Song).filter(Song.state.in_(("waiting", "working"))).count() == 0:
                    return
            time.sleep(0.5)


def test_children_are_found():
    with subprocess.Popen(["sleep", "5"]) as child:
        assert child.pid in children_of(os.getpid())
        child.kill()
