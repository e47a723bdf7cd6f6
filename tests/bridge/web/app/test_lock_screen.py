"""Media keys and the lock screen, which a page takes and gives back."""

import pytest

_RECORD = """
  window.actions = {};
  navigator.mediaSession.setActionHandler = (action, handler) => {
    if (action === lacking) throw new TypeError(action);
    actions[action] = handler;
  };
  window.contexts = [];
  window.AudioContext = class extends AudioContext {
    constructor(...options) { super(...options); contexts.push(this); }
  };
"""


@pytest.fixture
def lacking():
    """The action of media keys that the browser does not have."""
    return ""


@pytest.fixture
def page(open_page, served, lacking):
    """A shared song, whose pieces never come, in a page that records its handlers and audio contexts."""
    song = {
        "title": "Song",
        "artist": "Band",
        "album": "",
        "state": "ready",
        "sample_rate": 44100,
        "frames": 441_000,
        "piece_frames": 88_200,
        "stems_version": "1",
        "stems": ["vocals", "drums"],
        "cover": False,
        "job": None,
    }
    opened = open_page(f"{served.address}/login", width=1280, height=800)
    opened.add_init_script(f"window.lacking = '{lacking}'; {_RECORD}")
    opened.route("**/api/v1/shares/key/**", lambda route: route.fulfill(status=503, json={}))
    opened.route("**/api/v1/shares/key", lambda route: route.fulfill(json=song))
    opened.goto(f"{served.address}/s#k=key")
    opened.click("role=button[name='Play']")
    return opened


def test_media_keys_control_the_player(page):
    assert page.evaluate("[navigator.mediaSession.metadata.title, navigator.mediaSession.playbackState]") == [
        "Song",
        "playing",
    ]
    page.evaluate("actions.pause()")
    page.wait_for_selector("role=button[name='Play']")
    page.evaluate("actions.seekto({seekTime: 4})")
    page.wait_for_selector(".clock >> text=0:04.0")
    page.evaluate("actions.seekforward({})")
    page.wait_for_selector(".clock >> text=0:09.0")


def test_a_page_that_is_left_gives_media_keys_back(page):
    page.click("a.brand")
    page.wait_for_selector("ss-landing")
    handlers = page.evaluate("Object.values(actions)")
    assert handlers == [None] * 5
    assert page.evaluate("[navigator.mediaSession.metadata, navigator.mediaSession.playbackState]") == [None, "none"]
    assert page.evaluate("contexts.map(({state}) => state)") == ["closed"]


@pytest.mark.parametrize("lacking", ["seekto"])
def test_browser_that_lacks_an_action_plays_all_the_same(page):
    page.wait_for_selector("role=button[name='Pause']")
    assert page.evaluate("Object.keys(actions)") == ["play", "pause", "seekbackward", "seekforward"]
