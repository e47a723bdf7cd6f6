"""A service as a user starts it: one command, one folder."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

PASSWORD = "three random words here"


class Served:
    """A running service.

    Attributes:
        address: of its landing page.
        setup: path of the link that makes the admin.
    """

    def __init__(self, address, setup):
        self.address, self.setup = address, setup


@contextlib.contextmanager
def serving(folder, *options):
    """Run ``stream-sep serve`` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "stream_sep", "serve", "--data", str(folder / "data"), "--port", str(port)]
    log = folder / "serve.log"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with (
        log.open("w") as received,
        subprocess.Popen([*command, *options], stdout=received, stderr=received, env=environment) as run,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, run, log)
            yield Served(address, re.search(r"/setup#k=\S+", log.read_text())[0])
        finally:
            run.terminate()
            run.wait(60)


def _wait_for(address, run, log):
    deadline = time.monotonic() + 180
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/healthz", timeout=2):
            if "/setup#k=" in log.read_text():
                return
        assert run.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def sign_up(page, served, name, path="/signup"):
    """Fill in the form, up to the recovery codes."""
    page.goto(served.address + path)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("form button.primary")
    page.wait_for_selector(".codes li")
