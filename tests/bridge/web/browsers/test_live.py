"""The live page in Firefox and WebKitGTK: a phone's faders, reconnection, viewers."""

from functools import partial

import pytest
import waiting

from bridge.web.live.surface import LivePage

until = partial(waiting.until, every=0.02)
GAIN = "stem/vocals/gain_db"
FADER = "ss-strip .fader"
READY = "document.querySelector('.fader:not(.resting)')"


@pytest.fixture
def live_page(mixer):
    mixer.controls.publish({"engine/state": "running"})
    page = LivePage(mixer, port=0)
    page.start()
    yield page
    page.stop()


def test_faders(browser, mixer, live_page):
    with browser(width=360, height=640) as page:
        page.goto(live_page.address)
        page.until(READY)
        fingers_move_faders(page, mixer)
        buttons_and_keys(page, mixer)
        looks(page)
        reconnects(page, mixer, live_page)
        may_only_view(page, mixer)
        assert page.problems() == []


def fingers_move_faders(page, mixer):
    travel = page.evaluate("Math.max(200, document.querySelector('.fader').clientHeight - 28)")
    page.drag(FADER, (0, travel / 8), (0, travel / 8), kind="touch")
    until(lambda: mixer.controls[GAIN] == pytest.approx(-10.0, abs=0.6))  # half of the travel by the X32 law
    until(lambda: double_tap(page) or mixer.controls[GAIN] == 0.0)  # again where the browser was too slow for one


def double_tap(page):
    page.drag(FADER, kind="touch", times=2)


def buttons_and_keys(page, mixer):
    page.click("button[aria-label='Mute drums']")
    until(lambda: mixer.controls["stem/drums/mute"] is True)
    page.press("b")
    until(lambda: mixer.controls["bypass"] is True)
    page.evaluate(f"document.querySelector('{FADER} input').focus()")
    page.press("ArrowDown")
    until(lambda: mixer.controls[GAIN] == -1.0)
    page.click("button >> Presets")
    page.click("#presets button >> Acapella")
    until(lambda: mixer.recalled == [("acapella", None)])


def looks(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    style = "getComputedStyle(document.querySelector('.strip'))"
    assert page.evaluate(f"{style}.userSelect ?? {style}.webkitUserSelect") == "none"
    # a finger that rests on a fader selects no text


def reconnects(page, mixer, live_page):
    live_page._port = live_page.port
    live_page.stop()
    page.until("document.querySelector('.banner')?.textContent.includes('Connection lost')")
    mixer.apply({GAIN: -20.0})
    live_page.start()
    page.until(READY)
    page.until(f"document.querySelector('{FADER} input').value === '-20'")


def may_only_view(page, mixer):
    watched = LivePage(mixer, port=0, read_only=True)
    watched.start()
    try:
        page.goto(watched.address)
        page.until("document.querySelector('.banner')?.textContent.includes('read-only')")
        assert page.evaluate(f"document.querySelector('{FADER} input').disabled")
        page.goto("about:blank")
    finally:
        watched.stop()
