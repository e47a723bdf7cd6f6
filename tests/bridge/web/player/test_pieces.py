"""js/player/pieces.js in Chromium: pieces that are not there yet, and those that will never come."""

import contextlib

import pytest
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from bridge.web.problems import not_found
from bridge.web.service.pieces import not_ready

_SETUP = """async ({root}) => {
  const {Pieces} = await import(root + "js/player/pieces.js");
  const pieces = new Pieces(new OfflineAudioContext(2, 1, 44100), (number) => `/pieces/${number}`);
  window.events = [];
  for (const name of ["waiting", "failed", "piece"]) {
    pieces.addEventListener(name, ({detail}) => events.push([name, detail]));
  }
  pieces.request([0]);
}"""


class Server:
    """Sends one response to every request for a piece, and counts them."""

    def __init__(self):
        self.response, self.requests = None, 0

    async def piece(self, _):
        self.requests += 1
        return self.response


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def load(chromium, serve_modules, server):
    """A function that requests a piece, to which the server responds as given; returns the page."""
    address, root = serve_modules(Route("/pieces/{number:int}", server.piece))
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(address)
        page.clock.install(time=0)
        page.clock.pause_at(60_000)

        def loaded(response):
            server.response = response
            page.evaluate(_SETUP, {"root": root})
            page.wait_for_function("events.length === 1")
            return page

        yield loaded


def test_a_piece_that_is_not_separated_yet_is_waited_for(load, server):
    page = load(not_ready().response())
    assert page.evaluate("events") == [["waiting", 0]]
    page.clock.run_for(1_000)
    page.wait_for_function("events.length === 2")
    assert server.requests == 2


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (not_found("song").response(), "There is no such song."),
        (JSONResponse({"code": "link-ended", "detail": "This link has expired."}, 404), "This link has expired."),
        (HTMLResponse("<h1>404</h1>", 404), "The server returned 404."),
        (HTMLResponse("<h1>502</h1>", 502), "The server returned 502."),
    ],
    ids=["deleted", "ended", "proxy", "gateway"],
)
def test_a_piece_that_is_refused_is_no_waiting(load, server, response, text):
    page = load(response)
    assert page.evaluate("events") == [["failed", text]]
    page.clock.run_for(4_900)
    page.wait_for_timeout(100)
    assert server.requests == 1
    page.clock.run_for(100)
    page.wait_for_function("events.length === 2")


def test_a_busy_server_gets_the_request_again_after_its_retry_after(load, server):
    page = load(JSONResponse({"code": "slow-down", "detail": "Too many."}, 429, {"Retry-After": "30"}))
    page.clock.run_for(29_900)
    page.wait_for_timeout(100)
    assert server.requests == 1
    page.clock.run_for(100)
    page.wait_for_function("events.length === 2")
