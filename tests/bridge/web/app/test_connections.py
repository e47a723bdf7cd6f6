"""The WebSockets of the pages: opened again once the server answers, and replaced after a page was hidden."""

import contextlib
from functools import partial

import pytest
import waiting

until = partial(waiting.until, every=0.02)

_SETUP = """async ({module}) => {
  const made = [];
  class FakeSocket extends EventTarget {
    constructor(url) { super(); this.url = url; made.push(this); }
    close() { this.closed = true; }
    send() {}
    lose() { this.dispatchEvent(new CloseEvent("close", {code: 1006})); }
    receive(data) { this.dispatchEvent(new MessageEvent("message", {data: JSON.stringify(data)})); }
  }
  Object.assign(window, {WebSocket: FakeSocket, made, answer: 0, asked: 0});
  window.fetch = async () => {
    asked += 1;
    if (!answer) throw new TypeError("no connection");
    return {status: answer};
  };
  const loaded = await import(module);
  create(loaded);
}"""
_PAGES = {
    "live": ("js/live/connection.js", "new loaded.LiveConnection('ws://x').connect()"),
    "service": ("js/app/events.js", "new loaded.Events().open()"),
}


@pytest.fixture
def opened(chromium, serve_modules):
    """A function that opens one of the two connections, on sockets that are not connected to anything."""
    address, root = serve_modules()
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(address)

        def connected(name):
            module, create = _PAGES[name]
            page.evaluate(_SETUP.replace("create(loaded)", create), {"module": root + module})
            return page

        yield connected


@pytest.mark.parametrize("name", list(_PAGES))
@pytest.mark.parametrize("answer", [0, 502])
def test_no_socket_is_opened_before_the_server_answers(opened, name, answer):
    page = opened(name)
    page.evaluate("(code) => { answer = code; made[0].lose(); }", answer)
    until(lambda: page.evaluate("asked") >= 2)
    assert page.evaluate("made.length") == 1
    page.evaluate("answer = 200")
    until(lambda: page.evaluate("made.length") == 2)


_HIDE = """(seconds) => {
  let state = "hidden";
  Object.defineProperty(document, "visibilityState", {get: () => state});
  document.dispatchEvent(new Event("visibilitychange"));
  const now = performance.now.bind(performance);
  performance.now = () => now() + 1000 * seconds;
  state = "visible";
  answer = 200;
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_page_that_was_hidden_for_long_resumes_its_events_on_a_new_socket(opened):
    page = opened("service")
    page.evaluate("made[0].receive({seq: 41, kind: 'hello', body: {}})")
    page.evaluate(_HIDE, 60)
    until(lambda: page.evaluate("made.length") == 2)
    assert page.evaluate("[made[0].closed, made[1].url.split('?')[1]]") == [True, "after=41"]


def test_page_that_was_hidden_for_a_moment_keeps_its_socket(opened):
    page = opened("service")
    page.evaluate(_HIDE, 1)
    page.wait_for_timeout(1000 * waiting.QUIET)
    assert page.evaluate("made.length") == 1
