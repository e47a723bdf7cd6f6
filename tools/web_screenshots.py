"""Pictures of the web pages for the docs, taken from the real thing in headless Chromium.

    python tools/web_screenshots.py            all pages, into docs/pictures/
    python tools/web_screenshots.py OUT --all  every page in both themes, 360 and 1280 px wide, to look at

It starts a service in its own folder, separates the demo song, and a live page over an engine that plays it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.web.live.surface import LivePage
from stream_sep.control.parameters import parameters_for
from stream_sep.control.state import ControlState
from stream_sep.control.transport import transport_parameters
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext, Page

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
MAX_BYTES = 200_000
PASSWORD = "three random words"  # noqa: S105 - of an account that lives for a minute
BEST = (
    ("live", "dark", 360),
    ("song", "dark", 1280),
    ("library", "light", 1280),
    ("landing", "light", 1280),
    ("song", "light", 360),
)
PAGES = {
    "landing": "/",
    "signup": "/signup",
    "login": "/login",
    "library": "/library",
    "song": "song",
    "settings": "/settings",
    "admin": "/admin",
    "shared": "shared",
}


class ShownMixer:
    """A mixer without an engine, whose meters move like a real one's."""

    def __init__(self) -> None:
        self.stems = STEMS
        self.controls = ControlState((*parameters_for(STEMS), *transport_parameters()))
        self.controls.publish(
            {
                "engine/state": "running",
                "engine/model": "live",
                "engine/latency_ms": 22.4,
                "transport/title": "Demo song",
                "transport/length": 27.0,
                "transport/position": 11.0,
                "stem/vocals/gain_db": -6.0,
                "stem/drums/mute": True,
                "stem/bass/gain_db": 2.5,
                "stem/other/gain_db": -12.0,
                "stem/other/pan": 0.4,
            }
        )

    def apply(self, values: Mapping[str, object], *, fade_ms: float | None = None, at: float | None = None) -> None:
        """Store values."""
        del fade_ms, at
        self.controls.update(values)

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return levels that move."""
        now = time.monotonic()
        names = ("mix", *self.stems, "input")
        return {name: _level(now + 0.4 * place) for place, name in enumerate(names)}

    def presets(self) -> tuple[str, ...]:
        """Return names."""
        return ("acapella", "karaoke", "practice")

    def recall(self, preset: str, *, fade_ms: float | None = None) -> None:
        """Do nothing."""

    def store(self, preset: str) -> None:
        """Do nothing."""


def _level(moment: float) -> tuple[float, float]:
    return 0.15 + 0.3 * abs(math.sin(3 * moment)), 0.15 + 0.3 * abs(math.sin(3 * moment + 0.3))


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default=PICTURES)
    parser.add_argument("--all", action="store_true", help="every page, both themes, 360 and 1280 px")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    shots = tuple(itertools.product(("live", *PAGES), ("dark", "light"), (360, 1280))) if chosen.all else BEST
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - its ImportError names the package

    path = shutil.which("chromium") or sys.exit("chromium is missing: apt install chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as address:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        places = _prepare(browser, *address)
        page = LivePage(ShownMixer(), port=0)
        page.start()
        places["live"] = page.address
        for shot in shots:
            _take(browser, places, shot, chosen.out)
        page.stop()
        browser.close()


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, str]]:
    """Run the service; yield its address, and the path of the link that creates the admin."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = folder / "serve.log"
    options = ["--data", str(folder / "data"), "--port", str(port), "--demo-song", "--sign-up", "open"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("w") as output:
        command = [sys.executable, "-P", "-m", "stream_sep", "serve", *options]
        run = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        while not (_responds(f"{address}/healthz") and "/setup#k=" in log.read_text()):
            if run.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.2)
        yield address, re.findall(r"/setup#k=\S+", log.read_text())[0]
    finally:
        run.terminate()
        run.wait()


def _responds(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 - ours
        return True
    return False


def _prepare(browser: Browser, address: str, setup: str) -> dict[str, Any]:
    """Make an account and wait for its song; return where every page is, and the account's cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address + setup)
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.click("form button.primary")
    page.click("text=To the library")
    page.click(".song-row a.title")
    page.wait_for_selector("button:has-text('Download')", timeout=900_000)
    song = page.url
    link = _share(page)
    places: dict[str, Any] = {name: address + path for name, path in PAGES.items()}
    state = context.storage_state()
    context.close()
    return places | {"song": song, "shared": link, "cookies": state}


def _share(page: Page) -> str:
    page.click(".song-head >> role=button[name='Share']")
    page.click("text=Make a link")
    return page.text_content("#share-link") or ""


def _take(browser: Browser, places: dict[str, Any], shot: tuple[str, str, int], out: Path) -> None:
    name, theme, width = shot
    member = name in {"library", "song", "settings", "admin"}
    height = 640 if width < 500 else 800
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        storage_state=places["cookies"] if member else None,
    )
    page = context.new_page()
    page.goto(places[name])
    page.wait_for_timeout(1500)
    if name in {"song", "shared"}:
        page.wait_for_selector("ss-player canvas")
        _play(page)
    path = out / f"{name}-{theme}-{width}.png"
    page.screenshot(path=path)
    context.close()
    if path.stat().st_size > MAX_BYTES:
        sys.exit(f"{path} has {path.stat().st_size} bytes, more than {MAX_BYTES}")
    print(path)


def _play(page: Page) -> None:
    player = "document.querySelector('ss-player')"
    page.evaluate(f"{player}.change('vocals', {{db: -6}}); {player}.change('drums', {{mute: true}})")
    page.evaluate(f"{player}.seek(8 * 44100); {player}.setLoop({{start: 7 * 44100, end: 13 * 44100}})")
    page.click("role=button[name='Play']")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
