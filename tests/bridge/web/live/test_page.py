"""The live page as a phone sees it: Chromium, 360 px, touch."""

import time

import numpy as np
import pytest
import waiting

from bridge.web.live.surface import LivePage
from stream_sep.backends.callback import portaudio_callback
from stream_sep.backends.paced import PacedBackend
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine

until = waiting.until

GAIN = "stem/vocals/gain_db"


@pytest.fixture(autouse=True)
def _running(mixer):
    mixer.controls.publish({"engine/state": "running"})


@pytest.fixture
def live_page(mixer):
    page = LivePage(mixer, port=0)
    page.start()
    yield page
    page.stop()


@pytest.fixture
def phone(open_page, live_page):
    page = open_page(live_page.address)
    page.wait_for_selector("ss-live-page .fader:not(.resting)")
    return page


class Finger:
    """A touch at the middle of an element."""

    def __init__(self, page, selector):
        box = page.locator(selector).bounding_box()
        self.x, self.y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self._cdp = page.context.new_cdp_session(page)

    def down(self):
        self._touch("touchStart", [{"x": self.x, "y": self.y}])

    def move(self, right, down, steps=5):
        for _ in range(steps):
            self.x, self.y = self.x + right / steps, self.y + down / steps
            self._touch("touchMove", [{"x": self.x, "y": self.y}])

    def up(self):
        self._touch("touchEnd", [])

    def _touch(self, kind, points):
        self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


VOCALS = "ss-strip:nth-of-type(1) .fader"


def test_a_finger_moves_a_fader_by_how_far_it_goes(mixer, phone):
    travel = phone.evaluate(f"Math.max(200, document.querySelector('{VOCALS}').clientHeight - 28)")
    finger = Finger(phone, VOCALS)
    finger.down()
    assert mixer.controls[GAIN] == 0.0
    finger.move(0, travel / 4)
    until(lambda: mixer.controls[GAIN] == pytest.approx(-10.0, abs=0.6))  # half of the travel by the X32 law
    finger.up()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_sideways_a_finger_moves_a_fader_four_times_finer(mixer, phone):
    travel = phone.evaluate(f"Math.max(200, document.querySelector('{VOCALS}').clientHeight - 28)")
    finger = Finger(phone, VOCALS)
    finger.down()
    finger.move(80, 0, steps=1)
    finger.move(0, travel / 4)
    until(lambda: mixer.controls[GAIN] == pytest.approx(-2.5, abs=0.3))
    finger.up()


def test_a_double_tap_is_unity(mixer, phone):
    mixer.apply({GAIN: -30.0})
    until(lambda: phone.input_value(f"{VOCALS} input") == "-30")
    finger = Finger(phone, VOCALS)
    for _ in range(2):
        finger.down()
        finger.up()
    until(lambda: mixer.controls[GAIN] == 0.0)


def test_while_a_finger_holds_a_fader_only_the_finger_moves_it(mixer, phone):
    finger = Finger(phone, VOCALS)
    finger.down()
    finger.move(0, 20, steps=1)
    until(lambda: mixer.controls[GAIN] < 0)
    mixer.apply({GAIN: -60.0})
    phone.wait_for_timeout(300)
    assert float(phone.input_value(f"{VOCALS} input")) > -30
    finger.up()
    until(lambda: phone.input_value(f"{VOCALS} input") == "-60")


def test_keys_move_the_native_range(mixer, phone):
    phone.focus(f"{VOCALS} input")
    phone.keyboard.press("ArrowDown")
    until(lambda: mixer.controls[GAIN] == -1.0)
    phone.keyboard.press("Shift+ArrowDown")
    until(lambda: mixer.controls[GAIN] == pytest.approx(-1.1))
    assert phone.get_attribute(f"{VOCALS} input", "aria-valuetext") == "-1.1 dB"
    for key, db in (("PageDown", -7.1), ("Home", -90.0), ("End", 10.0), ("0", 0.0)):
        phone.keyboard.press(key)
        until(lambda db=db: mixer.controls[GAIN] == pytest.approx(db))


def test_buttons_and_presets_move_the_mixer(mixer, phone):
    phone.tap("role=button[name='Mute drums']")
    until(lambda: mixer.controls["stem/drums/mute"] is True)
    phone.tap("role=button[name='Solo bass']")
    until(lambda: mixer.controls["stem/bass/solo"] is True)
    phone.tap("role=button[name='Bypass']")
    until(lambda: mixer.controls["bypass"] is True)
    phone.tap("role=button[name='Karaoke']")
    until(lambda: mixer.controls["karaoke"] == 1.0)
    phone.tap("role=button[name='Presets']")
    phone.tap("role=button[name='Acapella']")
    until(lambda: mixer.recalled == [("acapella", None)])


def test_after_a_restart_faders_take_the_mixers_values_and_old_moves_are_not_sent(mixer, phone, live_page):
    live_page._port = live_page.port
    live_page.stop()
    phone.wait_for_selector("text=Connection lost; faders are off")
    assert phone.is_disabled(f"{VOCALS} input")
    finger = Finger(phone, VOCALS)
    finger.down()
    finger.move(0, 60)
    finger.up()
    mixer.apply({GAIN: -20.0})
    live_page.start()
    phone.wait_for_selector(f"{VOCALS}:not(.resting)", timeout=15000)
    until(lambda: phone.input_value(f"{VOCALS} input") == "-20")
    assert mixer.controls[GAIN] == -20.0


def test_a_viewer_sees_changes_and_moves_nothing(mixer, open_page):
    live_page = LivePage(mixer, port=0, read_only=True)
    live_page.start()
    try:
        page = open_page(live_page.address)
        page.wait_for_selector("text=This page is read-only.")
        mixer.apply({GAIN: -12.0})
        until(lambda: page.input_value(f"{VOCALS} input") == "-12")
        assert page.is_disabled(f"{VOCALS} input")
    finally:
        live_page.stop()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(open_page, live_page, axe, theme, width):
    page = open_page(live_page.address, theme=theme, width=width, height=800)
    page.wait_for_selector("ss-live-page .fader:not(.resting)")
    assert axe(page) == []
    for sheet in ("Presets", "More"):
        page.click(f"role=button[name='{sheet}']")
        page.wait_for_selector("dialog[open]")
        assert axe(page) == []
        page.keyboard.press("Escape")


def test_nothing_scrolls_sideways_at_320_px(open_page, live_page):
    page = open_page(live_page.address, width=320, height=640)
    page.wait_for_selector("ss-live-page .fader:not(.resting)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_fields_on_a_touch_screen_are_large_enough_for_safari_not_to_zoom(phone):
    sizes = phone.evaluate(
        "[...document.querySelectorAll('.input')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert sizes
    assert min(sizes) >= 16


class SteadyBackend(PacedBackend):
    """Plays a steady sound and notes the level of every block that comes out."""

    def __init__(self):
        super().__init__(44100, 2048)
        self.levels = []

    def _run(self, state, between_blocks):
        given = np.full((self.block_size, 2), 0.25, np.float32)
        taken = np.zeros((self.block_size, 2), np.float32)
        call, address = portaudio_callback().ctypes, state.address
        while not self._stopped.is_set():
            call(given.ctypes.data, taken.ctypes.data, self.block_size, 0, 0, address)
            between_blocks()
            self.levels.append(float(taken[-1, 0]))
            time.sleep(self.block_size / self.sample_rate)


def test_a_finger_on_a_running_engine_is_audible_in_the_next_block(open_page):
    backend = SteadyBackend()
    engine = Engine(backend, EngineConfig(model="passthrough", options={"carrier": "vocals"}))
    moved_at = []
    engine.controls.subscribe(lambda path: path == GAIN and moved_at.append(len(backend.levels)))
    page = LivePage(engine, port=0)
    with engine:
        page.start()
        try:
            until(lambda: len(backend.levels) > 20 and backend.levels[-1] == pytest.approx(0.25))
            phone = open_page(page.address)
            phone.wait_for_selector(f"{VOCALS}:not(.resting)")
            finger = Finger(phone, VOCALS)
            finger.down()
            finger.move(0, 50)
            until(lambda: moved_at and len(backend.levels) > moved_at[-1] + 2)
            finger.up()
            levels = backend.levels
        finally:
            page.stop()
    changed = next(block for block, level in enumerate(levels) if block > 20 and level < 0.2499)
    assert moved_at[0] <= changed <= moved_at[0] + 1
    assert levels[moved_at[-1] + 2] < levels[20]
