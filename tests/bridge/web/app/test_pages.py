"""Every page in Chromium: nothing for axe to find, nothing beyond the edge, no broken policy, titles stay text."""

import io
import re

import numpy as np
import pytest
import soundfile

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
ANYBODY = ["/", "/login", "/signup", "/recover", "/s#k=nothing"]
MEMBERS = ["/library", "/trash", "/settings", "/admin", "/design", "song"]


@pytest.fixture(scope="module")
def song(chromium, served, admin):
    """A song of one second, whose title is markup, separated."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (44100, 2))
    file = io.BytesIO()
    soundfile.write(file, noise, 44100, format="FLAC")
    context = chromium.new_context(storage_state=admin)
    headers = {"Content-Type": "application/octet-stream", "Origin": served.address}
    api = served.address + "/api/v1"
    made = context.request.post(f"{api}/songs?name=noise.flac", data=file.getvalue(), headers=headers).json()
    renamed = context.request.patch(
        f"{api}/songs/{made['id']}", data={"title": MARKUP}, headers={"Origin": served.address}
    )
    assert renamed.ok, renamed.text()
    page = context.new_page()
    page.goto(f"{served.address}/songs/{made['id']}")
    page.wait_for_selector("button:has-text('Download')", timeout=600_000)
    context.close()
    return made["id"]


def path_of(name, song):
    return f"/songs/{song}" if name == "song" else name


def settle(page):
    page.wait_for_selector("ss-app main:not(.spinner)")
    page.wait_for_timeout(700)


@pytest.fixture
def visit(open_page, served, admin, song):
    """Opens a page by its name, logged in where that is needed."""

    def visited(name, **options):
        state = {"storage_state": admin} if name in MEMBERS else {}
        page = open_page(served.address + path_of(name, song), **state, **options)
        settle(page)
        return page

    return visited


@pytest.mark.parametrize("name", ANYBODY + MEMBERS)
def test_page_has_nothing_for_axe_to_find_and_fits(visit, axe, name):
    page = visit(name, width=1280, height=800)
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(300)
            assert page.get_attribute("html", "data-theme") == theme
            assert axe(page) == [], (theme, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320  # reflow, WCAG 1.4.10


def test_sheets_of_a_song_have_nothing_for_axe_to_find(open_page, served, admin, song, axe):
    page = open_page(f"{served.address}/songs/{song}", width=1280, height=800, storage_state=admin)
    page.wait_for_selector("ss-player canvas")
    for button in ("Download", "Share", "More"):
        page.click(f".song-head >> role=button[name='{button}']")
        page.wait_for_selector("dialog[open]")
        page.wait_for_timeout(200)
        assert axe(page) == []
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.textContent").strip() == button


@pytest.mark.parametrize("name", ["/library", "song"])
def test_title_with_markup_stays_text(open_page, served, admin, song, name):
    page = open_page(served.address + path_of(name, song), width=1280, height=800, storage_state=admin)
    page.wait_for_selector(f"text={MARKUP}")
    assert page.title() != "broken"
    assert page.locator("img[src=x]").count() == 0


def test_leaving_a_song_deletes_nothing(open_page, served, admin, song):
    page = open_page(f"{served.address}/songs/{song}", width=1280, height=800, storage_state=admin)
    page.wait_for_selector("ss-player canvas")
    page.click("a:has-text('Library')")
    page.wait_for_selector(".song-row")
    page.wait_for_timeout(300)
    assert page.locator(f".song-row a[href='/songs/{song}']").count() == 1
    assert page.locator("ss-song").count() == 0


def test_search_that_finds_nothing_can_be_cleared(open_page, served, admin, song):
    del song
    page = open_page(f"{served.address}/library", width=1280, height=800, storage_state=admin)
    page.wait_for_selector(".song-row")
    page.keyboard.press("/")
    page.keyboard.type("xyzzy")
    page.wait_for_selector("text=Nothing fits “xyzzy”.")
    page.click("text=Clear search")
    page.wait_for_selector(".song-row")


def test_wrong_password_is_refused_in_a_sentence(open_page, served):
    page = open_page(f"{served.address}/login")
    page.fill("#name", "nobody")
    page.fill("#password", "not this one at all")
    page.click("form button.primary")
    page.wait_for_selector("role=alert")
    assert re.search(r"wrong", page.text_content("role=alert"))


def test_password_is_judged_while_it_is_typed(open_page, served):
    page = open_page(f"{served.address}/signup")
    page.fill("#password", "too short")
    assert "6 more characters" in page.text_content("#password-hint")
    page.fill("#password", "three random words")
    assert page.text_content("#password-hint") == "Long enough."


def test_theme_that_is_chosen_stays(open_page, served, admin):
    page = open_page(f"{served.address}/settings", theme="dark", storage_state=admin)
    page.select_option("#theme", "light")
    assert page.get_attribute("html", "data-theme") == "light"
    page.reload()
    assert page.get_attribute("html", "data-theme") == "light"
