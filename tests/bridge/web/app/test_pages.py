"""Every page in Chromium: nothing for axe to find, nothing beyond the edge, no broken policy, titles stay text."""

import io
import re
import zipfile
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
ANYBODY = ["/", "/login", "/signup", "/recover", "/s#k=nothing"]
MEMBERS = ["/library", "/trash", "/settings", "/admin", "/design", "song"]


def noise(seed=0):
    """Return a file with a second of noise."""
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).uniform(-0.3, 0.3, (44100, 2)), 44100, format="FLAC")
    return file.getvalue()


@pytest.fixture(scope="module")
def song(chromium, served, admin):
    """A song of one second, whose title is markup, separated."""
    context = chromium.new_context(storage_state=admin)
    headers = {"Content-Type": "application/octet-stream", "Origin": served.address}
    api = served.address + "/api/v1"
    made = context.request.post(f"{api}/songs?name=noise.flac", data=noise(), headers=headers).json()
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
            page.wait_for_selector(f"html[data-theme={theme}]")
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
        assert axe(page) == []
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.textContent").strip() == button


@pytest.fixture(scope="module")
def marked(chromium, served, admin, song):
    """Paths of pages by their names, each with markup where somebody may write a text."""
    context = chromium.new_context(storage_state=admin)
    api, ours = served.address + "/api/v1", {"Origin": served.address}

    def ask(method, path, **options):
        answered = context.request.fetch(
            api + path, method=method, headers={**ours, **options.pop("headers", {})}, **options
        )
        assert answered.ok, answered.text()
        return answered.json() if answered.body() else None

    raw = {"Content-Type": "application/octet-stream"}
    deleted = ask("POST", f"/songs?name={quote(MARKUP)}", data=noise(seed=1), headers=raw)["id"]
    ask("PATCH", f"/songs/{deleted}", data={"title": MARKUP, "artist": MARKUP})
    ask("DELETE", f"/songs/{deleted}")
    ask("PATCH", f"/songs/{song}", data={"title": MARKUP})
    ask("POST", "/admin/invitations", data={"note": MARKUP})
    ask("POST", "/me/tokens", data={"name": MARKUP})
    shared = ask("POST", f"/songs/{song}/shares", data={})["path"]
    context.close()
    return {"song": f"/songs/{song}", "shared": shared}


@pytest.mark.parametrize("name", ["/library", "song", "shared", "/trash", "/admin", "/settings"])
def test_markup_stays_text(open_page, served, admin, marked, name):
    state = {} if name == "shared" else {"storage_state": admin}
    page = open_page(served.address + marked.get(name, name), width=1280, height=800, **state)
    page.wait_for_selector(f"text={MARKUP}")
    settle(page)
    assert page.title() != "broken"
    assert page.locator("img[src=x]").count() == 0


def test_a_song_is_separated_again_with_the_stems_chosen(open_page, served, admin, song, axe):
    page = open_page(f"{served.address}/songs/{song}", width=1280, height=800, storage_state=admin)
    page.wait_for_selector("ss-player canvas")
    page.route("**/jobs", lambda route: route.abort())
    page.click(".song-head >> role=button[name='More']")
    page.click("dialog[open] >> text=Separate again")
    page.wait_for_selector("#again[open]")
    assert axe(page) == []
    boxes = page.locator("#again input[type=checkbox]")
    for index in range(boxes.count()):
        boxes.nth(index).click()
    assert [boxes.nth(index).is_checked() for index in range(boxes.count())] == [False] * 3 + [True]
    with page.expect_request("**/jobs") as request:
        page.click("#again button.primary")
    assert request.value.post_data_json == {"model": "studio", "stems": ["other"]}
    page.wait_for_function("!document.querySelector('#again').open")


def waiting_song(number, **values):
    job = {"id": f"j{number}", "song_id": f"s{number}", "kind": "separate", "state": "queued", "position": number}
    song = {"id": f"s{number}", "title": f"Song {number}", "artist": "", "album": "", "file_name": "a.flac"}
    return {
        **song,
        "state": "waiting",
        "seconds": 9,
        "cover": False,
        "deleted": None,
        "error": "",
        "job": job,
        **values,
    }


def test_a_waiting_song_is_moved_to_the_front(open_page, served, admin, song, axe):
    page = open_page(f"{served.address}/settings", width=1280, height=800, storage_state=admin)
    songs = [waiting_song(1), waiting_song(2), waiting_song(3, cover=True)]
    listed = {"songs": songs, "next": None, "storage": {"used": 1, "limit": 2}}
    page.route("**/api/v1/songs?*", lambda route: route.fulfill(json=listed))
    page.route("**/move", lambda route: route.abort())
    page.click("a:has-text('Library')")
    page.wait_for_selector("text=Waiting, number 3 in the queue")
    assert page.locator("img.cover").get_attribute("src") == "/api/v1/songs/s3/cover"
    assert page.locator("role=button[name='Separate Song 1 next']").count() == 0
    assert axe(page) == []
    with page.expect_request(f"{served.address}/api/v1/jobs/j3/move") as request:
        page.click("role=button[name='Separate Song 3 next']")
    assert request.value.post_data_json == {"to": 1}


def test_everything_can_be_exported(open_page, served, admin, song):
    page = open_page(f"{served.address}/settings", width=1280, height=800, storage_state=admin)
    with page.expect_download() as downloading:
        page.click("text=Export all")
    assert downloading.value.suggested_filename == "stream_sep.zip"
    with zipfile.ZipFile(downloading.value.path()) as archive:
        assert archive.testzip() is None
        assert len([name for name in archive.namelist() if name.endswith("/drums.flac")]) >= 1


def test_the_admin_changes_an_account(open_page, served, admin, axe):
    page = open_page(f"{served.address}/admin", width=1280, height=800, storage_state=admin)
    page.click("role=button[name='Change the account of ada']")
    page.wait_for_selector("#account[open]")
    assert axe(page) == []
    page.fill("#account-quota", "7.5")
    page.click("#account button.primary")
    page.wait_for_selector("td:has-text('of 7.5 GB')")


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


def test_wrong_password_is_refused_with_a_message(open_page, served):
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
