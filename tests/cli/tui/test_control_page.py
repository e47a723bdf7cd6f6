"""The terminal page: keys and mouse move the right control, the screen shows the state, failures are messages."""

import asyncio
import functools
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import mixer_double
import pytest
from requirements import require_package

from stream_sep import LatencyReport
from stream_sep.audio.state import COUNTERS
from stream_sep.cli.tui.control_page import ControlPage, has_keys
from stream_sep.cli.tui.plain_screen import Messages
from stream_sep.control.state import ControlState
from stream_sep.control.transport import transport_parameters
from stream_sep.engine.stats import EngineStats
from stream_sep.errors import PresetError

require_package("textual", "tui")

from textual.widgets import Static

from stream_sep.cli.tui.strip import Strip


@dataclass
class HeardSurface:
    """A control surface that received something."""

    last: str = "/stem/vocals/fader 0.75"
    errors: int = 2


@pytest.fixture
def engine(mixer):
    """The mixer double, with the engine attributes that the page reads."""
    counters = {**dict.fromkeys(COUNTERS, 0), "late_hops": 7, "input_overflows": 3}
    mixer.stats = lambda: EngineStats(counters, 100, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 0, 0, restarts=5)
    mixer.latency = LatencyReport(sample_rate=44100, adaptation=128, slack=313, separator=1323, device=441)
    mixer.controls.publish({"engine/model": "bands", "engine/load": 0.31, "engine/state": "running"})
    return mixer


def on_page(test):
    """Run a test in the event loop of a page that it gets, with textual's pilot, as ``page`` and ``pilot``."""

    @functools.wraps(test)
    def run(engine):
        async def go():
            page = ControlPage(engine, (HeardSurface(),), Messages()).app()
            async with page.run_test(size=(100, 30)) as pilot:
                await test(engine, pilot)

        asyncio.run(go())

    del run.__wrapped__  # pytest would take the signature from there
    return run


def shown(pilot):
    """Everything on the screen, a line a row."""
    return "\n".join("".join(part.text for part in row) for row in pilot.app.screen._compositor.render_strips())


def strip(pilot, bus):
    return next(strip for strip in pilot.app.query(Strip) if strip.bus == bus)


async def redrawn(pilot):
    pilot.app._draw_strips()
    pilot.app._draw_lines()
    await pilot.pause()


@on_page
async def test_screen_shows_every_stem_the_engine_and_what_surfaces_received(engine, pilot):
    engine.controls.update({"stem/drums/gain_db": -12.5, "stem/bass/gain_db": -90, "karaoke": 1})
    await redrawn(pilot)
    screen = shown(pilot)
    for text in (*engine.stems, "master", "-12.5 dB", "off", "KARAOKE"):
        assert text in screen
    for text in ("bands", "running", "latency 50.0 ms", "load 31 %", "late hops 7", "xruns 3", "restarts 5"):
        assert text in screen
    assert "Heard: /stem/vocals/fader 0.75   (2 ignored)" in screen


@on_page
async def test_arrows_choose_a_stem_and_move_it_a_decibel(engine, pilot):
    await pilot.press("up", "right", "down", "down", "left", "left", "down")
    values = engine.controls
    assert values["stem/vocals/gain_db"] == 1
    assert values["stem/drums/gain_db"] == -2
    assert values["master/gain_db"] == -1
    assert values["stem/bass/gain_db"] == values["stem/other/gain_db"] == 0


@on_page
async def test_no_key_moves_a_fader_off_its_scale(engine, pilot):
    await pilot.press(*["pageup"] * 3)
    assert engine.controls["stem/vocals/gain_db"] == 10
    await pilot.press(*["pagedown"] * 20)
    assert engine.controls["stem/vocals/gain_db"] == -90
    await pilot.press("0")
    assert engine.controls["stem/vocals/gain_db"] == 0


@on_page
async def test_keys_press_and_release_switches(engine, pilot):
    paths = {"m": "stem/bass/mute", "s": "stem/bass/solo", "b": "bypass", "k": "karaoke"}
    await pilot.press("right", "right")
    for on in (True, False):
        for key, path in paths.items():
            await pilot.press(key)
            assert engine.controls[path] == on


@on_page
async def test_master_has_no_solo_and_reports_it(engine, pilot):
    before = engine.controls.snapshot()
    await pilot.press("left", "s")
    assert engine.controls.snapshot() == before
    assert "master/solo" in shown(pilot)
    await pilot.press("m")
    assert engine.controls["master/mute"] is True
    assert "master/solo" not in shown(pilot)


@on_page
async def test_p_recalls_one_preset_after_the_other(engine, pilot):
    await pilot.press("p", "p", "p")
    assert [name for name, _ in engine.recalled] == ["acapella", "karaoke", "acapella"]
    assert "preset acapella" in shown(pilot)


@on_page
async def test_a_broken_preset_gives_an_error_message_and_does_not_block_the_next(engine, pilot):
    recall = engine.recall

    def refuse(name):
        if name == "acapella":
            raise PresetError("acapella.toml:3: there is no 'gian'")
        recall(name)

    engine.recall = refuse
    await pilot.press("p")
    assert "acapella.toml:3" in shown(pilot)
    await pilot.press("p")
    assert [name for name, _ in engine.recalled] == ["karaoke"]


@on_page
async def test_the_mouse_puts_a_fader_where_it_clicks_and_drags(engine, pilot):
    drums = strip(pilot, "drums")
    await pilot.click(drums, offset=(5, drums.row_of(10)))
    assert engine.controls["stem/drums/gain_db"] == 10
    await pilot.click(drums, offset=(5, drums.row_of(0)))
    assert engine.controls["stem/drums/gain_db"] == 0
    await pilot.mouse_down(drums, offset=(5, drums.row_of(0)))
    await pilot.hover(drums, offset=(5, drums.row_of(-90)))
    assert engine.controls["stem/drums/gain_db"] == -90
    await pilot.mouse_up(drums, offset=(5, drums.row_of(-90)))
    await pilot.hover(drums, offset=(5, drums.row_of(0)))
    assert engine.controls["stem/drums/gain_db"] == -90
    await pilot.press("up")
    await pilot.click(drums, offset=(5, drums.size.height - 1))
    await pilot.click(drums, offset=(5, 0))
    assert engine.controls["stem/drums/gain_db"] == -89
    assert engine.controls["stem/vocals/gain_db"] == 0


@on_page
async def test_the_mouse_presses_mute_and_solo(engine, pilot):
    other = strip(pilot, "other")
    await pilot.click(other, offset=(other.size.width // 2 - 2, 2))
    await pilot.click(other, offset=(other.size.width // 2 + 2, 2))
    assert engine.controls["stem/other/mute"] is True
    assert engine.controls["stem/other/solo"] is True
    assert "[M][S]" in shown(pilot)


@on_page
async def test_what_a_surface_moves_is_drawn_without_a_key(engine, pilot):
    engine.controls.set("stem/vocals/gain_db", -33)
    for _ in range(200):
        await pilot.pause(0.01)
        if "-33.0 dB" in shown(pilot):
            return
    pytest.fail("the page did not draw a fader that something else moved")


@on_page
async def test_meters_rise_with_the_sound_and_separate_left_from_right(engine, pilot):
    def rows(text):
        return sum(row.count("█") for row in text.splitlines())

    still = rows(shown(pilot))
    engine.metered = {**engine.metered, "vocals": (1.0, 0.0), "mix": (1.0, 1.0)}
    await redrawn(pilot)
    loud = rows(shown(pilot))
    way = strip(pilot, "vocals").rows
    # 0 dBFS fills 100 of 115 parts, three bars of the five strips do
    assert loud - still == pytest.approx(3 * way * 100 / 115, abs=3)
    assert "0.0" in shown(pilot)


@on_page
async def test_a_text_from_the_network_cannot_write_on_the_screen(engine, pilot):  # noqa: ARG001
    pilot.app._surfaces = (HeardSurface("/x \x1b[2J[bold]\n", 0),)
    await redrawn(pilot)
    assert "/x ?[2J[bold]?" in shown(pilot)


@on_page
async def test_messages_of_the_engine_are_at_the_foot(engine, pilot):  # noqa: ARG001
    pilot.app._messages.lines.append("separator late 3 hops")
    await redrawn(pilot)
    assert "separator late 3 hops" in shown(pilot)
    assert str(pilot.app.query_one("#engine", Static).render()).startswith("bands")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_keys_quit(engine, key):
    async def go():
        page = ControlPage(engine).app()
        async with page.run_test() as pilot:
            await pilot.press(key)
            assert page._exit

    asyncio.run(go())


def test_a_signal_or_the_end_of_the_time_ends_the_page(engine):
    async def ended(stopped, seconds):
        page = ControlPage(engine).app(stopped, seconds)
        async with page.run_test() as pilot:
            for _ in range(500):
                if page._exit:
                    return True
                await pilot.pause(0.01)
        return False

    stopped = threading.Event()
    stopped.set()
    assert asyncio.run(ended(stopped, 0))
    assert asyncio.run(ended(threading.Event(), 0.01))


@pytest.mark.parametrize("size", [(20, 6), (1, 1), (300, 80)])
def test_a_terminal_of_any_size_will_do(engine, size):
    async def go():
        async with ControlPage(engine).app().run_test(size=size) as pilot:
            await pilot.press("up")
            assert engine.controls["stem/vocals/gain_db"] == 1

    asyncio.run(go())


def test_where_there_is_no_terminal_the_page_waits_in_silence(engine, capsys):
    assert not has_keys()
    ControlPage(engine).run(seconds=0.1)
    assert capsys.readouterr().out == ""


def test_without_textual_there_is_no_page(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", sys.stdout)
    assert has_keys()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not has_keys()


REAL = """
import sys
sys.path.append({support!r})
from mixer_double import MixerDouble
from stream_sep import LatencyReport
from stream_sep.audio.state import COUNTERS
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.engine.stats import EngineStats
mixer = MixerDouble()
mixer.stats = lambda: EngineStats(dict.fromkeys(COUNTERS, 0), 0, (0.0,) * 3, (0.0,) * 3, 0, 0, 0)
mixer.latency = LatencyReport(sample_rate=44100, adaptation=0, slack=0, separator=0)
ControlPage(mixer).run()
print("left with", mixer.controls["stem/vocals/gain_db"])
"""


def read_until(terminal, text):
    """Read what a program writes until ``text`` is in it."""
    seen, deadline = b"", time.monotonic() + 30
    while text not in seen:
        if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            pytest.fail(f"no {text!r} in {seen[-2000:]!r}")
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # it has ended
            pytest.fail(f"no {text!r} in {seen[-2000:]!r}")
    return seen


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are POSIX's")
def test_on_a_real_terminal_keys_arrive_and_the_terminal_is_given_back():
    code = REAL.format(support=str(Path(mixer_double.__file__).parent))
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as page:
        os.close(theirs)
        try:
            read_until(ours, b"vocals")
            os.write(ours, b"\x1b[A\x1b[A\x1b[Aq")
            seen = read_until(ours, b"left with 3.0")
            assert b"\x1b[?1049l" in seen  # the screen from before is back
            assert page.wait(10) == 0
        finally:
            page.kill()
            os.close(ours)


def with_transport(test):
    """Run a test of the page over a mixer that plays songs."""

    @functools.wraps(test)
    def run(engine):
        more = {parameter.path: parameter for parameter in transport_parameters()}
        controls = ControlState((*engine.controls.parameters.values(), *more.values()))
        controls.publish({**engine.controls.snapshot(), "transport/length": 240, "transport/title": "song.mp3"})
        engine.controls = controls
        on_page(test)(engine)

    del run.__wrapped__
    return run


@with_transport
async def test_keys_play_jump_and_loop_a_song(engine, pilot):
    values = engine.controls
    values.publish({"transport/position": 62.0})
    seeks = []
    values.subscribe(lambda path: seeks.append(values[path]) if path == "transport/seek" else None)
    await pilot.press("space", "full_stop", "comma", "greater_than_sign", "left_square_bracket")
    assert values["transport/play"] is False
    assert seeks == [67, 57, 92]
    assert values["transport/loop/start"] == 62
    values.publish({"transport/position": 70.0})
    await pilot.press("right_square_bracket")
    assert (values["transport/loop/on"], values["transport/loop/end"]) == (True, 70)
    await pilot.press("l", "n", "N", "minus", "minus", "u", "u", "d")
    assert values["transport/loop/on"] is False
    assert values["transport/next"] is values["transport/previous"] is True
    assert (values["transport/speed"], values["transport/pitch"]) == (0.9, 1)
    await redrawn(pilot)
    screen = shown(pilot)
    assert "‖ song.mp3   1:10 / 4:00   speed 0.90   pitch +1" in screen
    assert "play" in screen


@on_page
async def test_where_no_song_plays_there_are_no_keys_for_it(engine, pilot):
    before = engine.controls.snapshot()
    await pilot.press("space", "n", "l", "full_stop")
    assert engine.controls.snapshot() == before
    assert "5 s on" not in shown(pilot)
