"""A server of the player's modules, and of what else a test has routes for."""

import contextlib
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bridge.web.assets import Assets


@pytest.fixture(scope="module")
def serve_modules():
    """A function that serves an empty page, the modules and some routes; returns address and modules' root."""
    with contextlib.ExitStack() as stack:
        yield lambda *routes: stack.enter_context(_serving(routes))


@contextlib.contextmanager
def _serving(routes):
    def page(_):
        return HTMLResponse("<!doctype html><title>player</title>")

    assets = Assets()
    app = Starlette(routes=[Route("/", page), Route("/a/{version}/{path:path}", assets.serve), *routes])
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", loop="asyncio"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", assets.root
    running.should_exit = True
    thread.join()
