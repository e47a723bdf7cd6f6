"""Measures the memory of the song page in Chromium, over a long song: it must not grow with the song's length."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from bridge.benchmarks.web_process import log_in, make_admin, run_service, upload_file, wait_until_ready
from stream_sep.errors import BridgeError
from stream_sep.files.demo_song import load_demo_song

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import CDPSession, Page

_LIMITS = {"max_upload_bytes": 10**10, "max_song_seconds": 24 * 3600, "quota_bytes": 10**12}
_PREPARE_SECONDS = 3600.0
_SAMPLE_SECONDS = 5.0
_LOAD_SECONDS = 60.0
_POLL_MS = 20
_PLAYER = "document.querySelector('ss-player')"
_ZOOMED = 3  # times the zoom is doubled


@dataclass(frozen=True)
class PageMemory:
    """Memory of a page at one time.

    Attributes:
        heap_mb: used by JavaScript's heap.
        private_mb: of the renderer process, shared pages left out: heap, decoded sound, canvases, Chromium's own.
        nodes: DOM nodes.
    """

    heap_mb: float
    private_mb: float
    nodes: int


def measure_page(minutes: float, *, play_seconds: float = 180.0, seeks: int = 40) -> dict[str, Any]:
    """Play a song of the given length in Chromium, seek all over it, show its spectrogram, and read the memory.

    The song is the demo song over and over. Garbage is collected before each reading but those while it plays, of
    which the largest counts.

    Args:
        minutes: length of the song.
        play_seconds: how long it plays at normal speed.
        seeks: to places all over it.

    Raises:
        BridgeError: Chromium is missing, or this is not Linux.
        ModuleNotFoundError: playwright is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="stream-sep-page-") as name, _chromium() as browser:
        folder = Path(name)
        song = folder / "song.flac"
        _write_song(song, minutes)
        with run_service(folder / "data", "--model", "passthrough") as running:
            api = make_admin(running)
            api.require("PATCH", "/admin/settings", _LIMITS)
            song_id = upload_file(api, song)
            song.unlink()
            wait_until_ready(api, song_id, _PREPARE_SECONDS)
            cookie_name, _, value = log_in(running.base).partition("=")
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.add_cookies([{"name": cookie_name, "value": value, "url": running.base}])
            page = context.new_page()
            page.goto(f"{running.base}/songs/{song_id}")
            found = _Reading(browser, page).read_all(play_seconds, seeks)
            context.close()
    return {"minutes": minutes, **found}


class _Reading:
    """The readings of one page."""

    def __init__(self, browser: Any, page: Page) -> None:  # noqa: ANN401 - playwright is optional
        self._page = page
        self._browser_session: CDPSession = browser.new_browser_cdp_session()
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def read_all(self, play_seconds: float, seeks: int) -> dict[str, Any]:
        page = self._page
        page.wait_for_selector("ss-player canvas", timeout=1000 * _LOAD_SECONDS)
        self._wait_for(f"{_PLAYER}.peaks.length > 0")
        found = {"opened": self._settled()}
        page.click("role=button[name='Play']")
        found["playing"] = self._largest(play_seconds)
        found["after seeks"] = self._seek(seeks)
        page.click("role=button[name='Spectrum']")
        self._wait_for(f"{_PLAYER}.bands.length > 0")
        for _ in range(_ZOOMED):
            page.click("role=button[name='Zoom in']")
        found["spectrogram, zoomed"] = self._largest(min(play_seconds, 60.0))
        page.click("role=button[name='Pause']")
        found["paused"] = self._settled()
        return {
            f"{name} MB (JavaScript, process)": [round(memory.heap_mb, 1), round(memory.private_mb, 1)]
            for name, memory in found.items()
        } | {"DOM nodes": found["paused"].nodes}

    def _seek(self, count: int) -> PageMemory:
        """Seek to places all over the song, each until it sounds."""
        dice = random.Random(1)  # noqa: S311 - where to seek is no secret
        for _ in range(count):
            self._page.evaluate(f"share => {_PLAYER}.seek(share * {_PLAYER}.song.frames)", dice.uniform(0.0, 0.99))
            self._wait_for(f"{_PLAYER}.stage.player.state === 'playing'")
        return self._settled()

    def _wait_for(self, condition: str) -> None:
        """Wait until a condition is true; playwright's own way needs eval in the page, which its policy forbids."""
        deadline = time.monotonic() + _LOAD_SECONDS
        while not self._page.evaluate(condition):
            if time.monotonic() > deadline:
                raise BridgeError(f"the page did not come to {condition}")
            self._page.wait_for_timeout(_POLL_MS)

    def _largest(self, seconds: float) -> PageMemory:
        """Return the largest of several readings, and with it the page as it is, garbage included."""
        until, readings = time.monotonic() + seconds, [self._read()]
        while time.monotonic() < until:
            self._page.wait_for_timeout(1000 * min(_SAMPLE_SECONDS, seconds))
            readings.append(self._read())
        return max(readings, key=lambda memory: memory.private_mb)

    def _settled(self) -> PageMemory:
        self._session.send("HeapProfiler.collectGarbage")
        self._page.wait_for_timeout(1000)
        self._session.send("HeapProfiler.collectGarbage")
        return self._read()

    def _read(self) -> PageMemory:
        values = {one["name"]: one["value"] for one in self._session.send("Performance.getMetrics")["metrics"]}
        return PageMemory(values["JSHeapUsedSize"] / 1e6, _private_mb(self._renderer()), round(values["Nodes"]))

    def _renderer(self) -> int:
        """Return the number of the page's process: the largest renderer; Chromium keeps an empty one as well."""
        listed = self._browser_session.send("SystemInfo.getProcessInfo")["processInfo"]
        renderers = [int(one["id"]) for one in listed if one["type"] == "renderer"]
        return max(renderers, key=_private_mb)


@contextlib.contextmanager
def _chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - optional

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None or not Path("/proc/self/smaps_rollup").is_file():
        raise BridgeError("this needs Chromium (apt install chromium), and Linux, whose /proc has memory by process")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def _private_mb(pid: int) -> float:
    """Return the memory that a process shares with no other."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:  # it has ended, or is another user's
        return 0.0
    return (
        sum(int(kib) for kib in re.findall(r"^Private_(?:Clean|Dirty):\s*(\d+) kB", text, re.MULTILINE)) * 1024 / 1e6
    )


def _write_song(path: Path, minutes: float) -> None:
    song = load_demo_song()
    sound = np.ascontiguousarray(song.mix.T)
    left = round(60 * minutes * song.sample_rate)
    with soundfile.SoundFile(path, "w", song.sample_rate, 2, "PCM_16", format="FLAC") as file:
        while left > 0:
            file.write(sound[:left])
            left -= len(sound)
