"""Pages on servers with other settings than the default ones."""

import pytest

SONG = {
    "id": "s1",
    "title": "Song 1",
    "artist": "",
    "album": "",
    "file_name": "a.flac",
    "state": "ready",
    "seconds": 9,
    "cover": False,
    "deleted": None,
    "error": "",
    "job": None,
}


@pytest.fixture
def visit(open_page, served, admin):
    """Opens a page of a server with other settings; to somebody who is logged in if songs are given."""

    def visited(path, songs=None, **settings):
        state = {} if songs is None else {"storage_state": admin}
        page = open_page(f"{served.address}/healthz", width=1280, height=800, **state)
        page.route("**/api/v1/server", lambda route: route.fulfill(json={**route.fetch().json(), **settings}))
        listed = {"songs": songs, "next": None, "storage": {"used": 1, "limit": 2}}
        page.route("**/api/v1/songs?*", lambda route: route.fulfill(json=listed))
        page.route("**/api/v1/songs/s1", lambda route: route.fulfill(status=204))
        page.goto(served.address + path)
        return page

    return visited


@pytest.mark.parametrize(("days", "text"), [(1, "1 day"), (30, "30 days")])
def test_the_days_in_the_trash_are_the_servers(visit, days, text):
    visit("/", trash_days=days).wait_for_selector(f"text=gone after {text} in the trash")
    visit("/trash", [], trash_days=days).wait_for_selector(f"text=deleted for ever after {text}.")
    page = visit("/library", [SONG], trash_days=days)
    page.click("role=button[name='Delete Song 1']")
    page.wait_for_selector(f"text=Song 1: in the trash for {text}.")


@pytest.mark.parametrize("demo", [True, False])
def test_the_demo_song_is_offered_where_there_is_one(visit, demo):
    page = visit("/library", [], demo=demo)
    page.wait_for_selector("text=No songs yet. Drop some above")
    assert page.locator("text=try the demo song").count() == demo


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"sign_up": "closed"}, "This server takes no new accounts. Ask its owner for one."),
        ({"sign_up": "open", "needs_setup": True}, "Open the set-up link"),
    ],
    ids=["closed", "new"],
)
def test_the_sign_up_page_has_no_form_where_nobody_can_sign_up(visit, axe, settings, text):
    page = visit("/signup#k=abc", **settings)
    page.wait_for_selector(f"text={text}")
    assert page.locator("form").count() == 0
    assert axe(page) == []


def test_the_sign_up_page_asks_for_an_invitation_where_one_is_needed(visit):
    assert visit("/signup", sign_up="invite").wait_for_selector("#invitation")
    page = visit("/signup#k=abc", sign_up="invite")
    page.wait_for_selector("#password")
    assert page.locator("#invitation").count() == 0


@pytest.mark.parametrize(
    ("mode", "text"), [("invite", "Sign-up is by invitation."), ("closed", "Sign-up is closed."), ("open", None)]
)
def test_the_landing_page_shows_who_may_sign_up(visit, mode, text):
    page = visit("/", sign_up=mode, needs_setup=False)
    page.wait_for_selector("ss-landing >> text=Log in")
    shown = page.locator("ss-landing p.small").all_text_contents()
    assert [line.strip().partition(".")[0] + "." for line in shown] == ([text] if text else [])
