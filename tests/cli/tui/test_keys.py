"""Keys of the mixer on a small terminal: help that names all, and saving the mix without losing a preset."""

import asyncio
import functools

import pytest
from requirements import require_package

require_package("textual", "tui")

from stream_sep.audio.latency import LatencyReport
from stream_sep.audio.state import COUNTERS
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.cli.tui.keys import FADERS, GENERAL, TRANSPORT
from stream_sep.cli.tui.plain_screen import Messages
from stream_sep.control.state import ControlState
from stream_sep.control.transport import transport_parameters
from stream_sep.engine.stats import EngineStats


@pytest.fixture
def engine(mixer):
    """The mixer double, with the engine attributes that the page reads, and a song."""
    counters = {**dict.fromkeys(COUNTERS, 0)}
    mixer.stats = lambda: EngineStats(counters, 100, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 0, 0, restarts=0)
    mixer.latency = LatencyReport(sample_rate=44100, adaptation=128, slack=313, separator=1323, device=441)
    mixer.controls = ControlState((*mixer.controls.parameters.values(), *transport_parameters()))
    mixer.controls.publish({"engine/model": "live", "engine/load": 0.31, "engine/state": "running"})
    mixer.controls.publish({"preset": "karaoke"})
    return mixer


def on_small_screen(test):
    """Run a test in the event loop of a page of 80 columns and 24 rows."""

    @functools.wraps(test)
    def run(engine):
        async def go():
            async with ControlPage(engine, (), Messages()).app().run_test(size=(80, 24)) as pilot:
                await test(engine, pilot)

        asyncio.run(go())

    del run.__wrapped__  # pytest would take the signature from there
    return run


def shown(pilot):
    return "\n".join("".join(part.text for part in row) for row in pilot.app.screen._compositor.render_strips())


@on_small_screen
async def test_footer_fits_80_columns(engine, pilot):
    assert engine
    await pilot.pause(0.2)
    footer = shown(pilot).splitlines()[-1]
    for key in (key for key in (*FADERS, *TRANSPORT, *GENERAL) if key.footer):
        assert f"{key.footer_key} {key.footer}" in footer


@on_small_screen
async def test_help_names_every_key_and_closes(engine, pilot):
    assert engine
    await pilot.press("question_mark")
    await pilot.pause()
    screen = shown(pilot)
    for key in (*FADERS, *TRANSPORT, *GENERAL):
        assert key.shown in screen
        assert key.description in screen
    assert "Esc" in screen
    await pilot.press("escape")
    assert len(pilot.app.screen_stack) == 1


@on_small_screen
async def test_engine_line_fits_one_row(engine, pilot):
    assert engine
    first = shown(pilot).splitlines()
    row = next(row for row in first if "live" in row)
    assert "nothing lost" in row
    assert "preset karaoke" in row


@on_small_screen
async def test_mix_is_saved_under_a_free_name(engine, pilot):
    await pilot.press("w")
    await pilot.pause()
    assert "mix-1" in shown(pilot)
    await pilot.press("enter")
    await pilot.pause()
    assert engine.stored == ["mix-1"]
    assert "saved as preset mix-1" in shown(pilot)


@on_small_screen
async def test_preset_that_exists_is_replaced_only_when_confirmed(engine, pilot):
    await pilot.press("w")
    await pilot.pause()
    await pilot.press(*["backspace"] * 5, *"karaoke", "enter")
    await pilot.pause()
    assert engine.stored == []
    assert "exists" in shown(pilot)
    await pilot.press("enter")
    await pilot.pause()
    assert engine.stored == ["karaoke"]


@on_small_screen
async def test_escape_saves_nothing(engine, pilot):
    await pilot.press("w")
    await pilot.pause()
    await pilot.press("escape")
    await pilot.pause()
    assert engine.stored == []
    assert len(pilot.app.screen_stack) == 1


def test_no_key_means_two_things():
    names = [key.name for key in (*FADERS, *TRANSPORT, *GENERAL)]
    assert len(names) == len(set(names))
