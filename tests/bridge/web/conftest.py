"""A headless Chromium for the tests of the pages, and a server of nothing but their modules."""

import contextlib
import importlib.util
import os
import shutil
import threading
import time

import pytest
import uvicorn
import waiting
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bridge.web.assets import Assets

NEEDS_BROWSER = "needs a browser: apt install chromium, pip install playwright axe-playwright-python"


def require_browser():
    """Skip without a browser, saying what to install; fail where one is demanded."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    packages = all(importlib.util.find_spec(name) for name in ("playwright", "axe_playwright_python"))
    if found and packages:
        return found
    if os.environ.get("STREAM_SEP_NEEDS_BROWSER"):
        pytest.fail(NEEDS_BROWSER)
    pytest.skip(NEEDS_BROWSER)
    return None


@pytest.fixture(scope="module")
def chromium():
    """A running browser; for one module, as its event loop would conflict with tests that run their own."""
    path = require_browser()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - optional

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens pages in their own windows; a page that broke its policy or a script fails the test."""
    with contextlib.ExitStack() as stack:
        problems = []

        def opened(url, *, width=360, height=640, theme="dark", touch=True, **options):
            context = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, has_touch=touch, **options
            )
            context.set_default_timeout(1000 * waiting.PATIENCE)
            stack.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda message: problems.append(message.text) if _is_violation(message) else None)
            page.goto(url)
            return page

        yield opened
    assert problems == []


def _is_violation(message):
    return message.type == "error" and ("Content Security Policy" in message.text or "Trusted" in message.text)


_ANIMATIONS_ENDED = """async () => {
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
}"""


@pytest.fixture
def axe():
    """Returns what axe finds on a page: rule and element of each violation."""
    require_browser()
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - optional

    def violations(page):
        page.evaluate(_ANIMATIONS_ENDED)  # colours in a transition have less contrast
        found = Axe().run(page).response["violations"]
        return [(one["id"], node["target"][0]) for one in found for node in one["nodes"]]

    return violations


@pytest.fixture(scope="module")
def serve_modules():
    """A function that serves an empty page, the modules and some routes; returns address and modules' root."""
    with contextlib.ExitStack() as stack:
        yield lambda *routes: stack.enter_context(_serving(routes))


@contextlib.contextmanager
def _serving(routes):
    def page(_):
        return HTMLResponse("<!doctype html><title>modules</title>")

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
