"""The QR code over the terminal page, that pairs a browser to control or to view."""

import asyncio

from requirements import require_package

require_package("textual", "tui")

from textual.app import App
from textual.widgets import Static

from stream_sep.cli.tui.pairing import PairingScreen


class LinkSurface:
    """A surface whose links are numbered."""

    last = ""
    errors = 0

    def __init__(self):
        self.roles = []

    def link(self, role="control"):
        self.roles.append(role)
        return f"http://here/#{role}-{len(self.roles)}"


def test_v_switches_between_a_link_to_control_and_one_to_view():
    surface, texts = LinkSurface(), []

    async def go():
        async with App().run_test(size=(100, 50)) as pilot:
            screen = PairingScreen(surface)
            await pilot.app.push_screen(screen)
            for _ in range(3):
                texts.append(str(screen.query_one(Static).content))
                await pilot.press("v")
            await pilot.press("escape")
            assert pilot.app.screen is not screen

    asyncio.run(go())
    for text, link in zip(texts, ("control-1", "view-2", "control-3"), strict=True):
        assert f"http://here/#{link}" in text
    assert "to view only" in texts[1]
