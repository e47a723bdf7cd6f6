"""A service in its own process, and requests to it."""

import contextlib
import json
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.request

TIMEOUT = 120


@contextlib.contextmanager
def serving(data, *arguments):
    """Run a service on a free port; give its address and the path of its set-up link."""
    command = [sys.executable, "-u", "-m", "stream_sep", "serve", "--data", str(data), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in server.stdout], daemon=True).start()
        try:
            base = re.search(r"http://\S+", lines.get(timeout=TIMEOUT))[0]
            setup = ""
            with contextlib.suppress(queue.Empty):
                setup = lines.get(timeout=1.0)
            yield server, base, setup.partition("#k=")[2].strip()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(TIMEOUT)


def call(method, url, data=None, **headers):
    kind = "application/json" if isinstance(data, dict) else "application/octet-stream"
    body = json.dumps(data).encode() if isinstance(data, dict) else data
    request = urllib.request.Request(url, body, {"Content-Type": kind, **headers}, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return response.headers, response.read()
