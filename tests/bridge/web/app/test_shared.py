"""The page of a share link whose song is being separated."""

import pytest
import waiting

SONG = {
    "id": "",
    "title": "Song",
    "artist": "",
    "album": "",
    "file_name": "",
    "state": "waiting",
    "error": "",
    "seconds": 4.0,
    "sample_rate": 0,
    "frames": 0,
    "piece_frames": 88200,
    "stems_version": "0",
    "stems": ["vocals", "drums", "bass", "other"],
    "model": "studio",
    "cover": False,
    "job": {"id": "", "state": "queued", "position": 2, "stage": "", "share": 0.0, "seconds_left": None},
}
KNOWN = {"sample_rate": 44100, "frames": 176400}
WORKING = {**SONG, **KNOWN, "state": "working"}
STATES = {
    "waiting": SONG,
    "working": {**WORKING, "job": {**SONG["job"], "stage": "separate", "share": 0.5, "frames_ready": 88200}},
    "further": {**WORKING, "job": {**SONG["job"], "stage": "separate", "share": 0.75, "frames_ready": 132300}},
    "ready": {**SONG, **KNOWN, "state": "ready", "stems_version": "1", "job": None},
    "failed": {**SONG, "state": "failed", "job": None},
}


class Link:
    """A share link that tests change.

    Attributes:
        state: which of `STATES` the song is in, or a status in its place.
        reads: how often it was read.
    """

    def __init__(self):
        self.state, self.reads = "waiting", 0

    def reply(self, route):
        self.reads += 1
        if self.state in STATES:
            route.fulfill(json=STATES[self.state])
        else:
            problem = {"code": "x", "detail": "It failed."}
            route.fulfill(status=self.state, json=problem, headers={"Retry-After": "30"})


@pytest.fixture
def link():
    return Link()


@pytest.fixture
def shared(open_page, served, link):
    """The page of the link, whose timers tests run."""
    page = open_page(f"{served.address}/login", width=1280, height=800)
    page.clock.install(time=0)
    page.clock.pause_at(60_000)
    page.route("**/api/v1/shares/key/**", lambda route: route.fulfill(status=404, json={}))
    page.route("**/api/v1/shares/key", link.reply)
    page.goto(f"{served.address}/s#k=key")
    page.wait_for_selector("text=Waiting, number 2 in the queue")
    return page


def test_a_shared_page_follows_its_song_until_it_is_ready(shared, link):
    link.state = "working"
    shared.clock.run_for(5_000)
    shared.wait_for_selector("text=Separating 50 %")
    shared.wait_for_selector("text=Separating: 0:02 of 0:04")
    link.state = 429
    with shared.expect_response("**/api/v1/shares/key"):
        shared.clock.run_for(5_000)
    link.state = "ready"
    reads = link.reads
    shared.clock.run_for(29_000)
    assert link.reads == reads
    assert shared.locator("ss-player canvas").count() == 4
    shared.clock.run_for(31_000)
    shared.wait_for_selector("ss-progress", state="detached")
    reads = link.reads
    shared.clock.run_for(60_000)
    assert link.reads == reads


def test_waveforms_grow_while_the_song_plays(shared, link):
    link.state = "working"
    shared.clock.run_for(5_000)
    shared.wait_for_selector("text=Separating 50 %")
    shared.clock.run_for(2_000)
    shared.click("role=button[name='Play']")
    shared.wait_for_selector("role=button[name='Pause']")
    link.state = "further"
    with shared.expect_request("**/shares/key/peaks*"):
        shared.clock.run_for(3_000)
        shared.wait_for_selector("text=Separating 75 %")
        shared.clock.run_for(1_000)


def test_a_shared_page_that_is_left_reads_its_song_no_more(shared, link):
    shared.click("a.brand")
    shared.wait_for_selector("ss-landing")
    reads = link.reads
    shared.clock.run_for(60_000)
    assert link.reads == reads


def test_a_link_that_ends_meanwhile_shows_that(shared, link):
    link.state = 404
    shared.clock.run_for(5_000)
    shared.wait_for_selector("text=This link has expired or was revoked.")


def test_a_guest_is_not_offered_what_only_the_owner_may_do(shared, link):
    link.state = "failed"
    shared.clock.run_for(5_000)
    shared.wait_for_selector("text=The song could not be separated.")
    assert shared.locator("role=button[name='Try again']").count() == 0


def test_pictures_stay_when_a_later_request_for_them_fails(shared, link):
    peaks = (2).to_bytes(4, "little") + b"\xf0\x10"
    answers = [{"body": peaks * 4}]
    failure = {"status": 503, "json": {}}
    shared.route(
        "**/api/v1/shares/key/peaks*", lambda route: route.fulfill(**(answers.pop() if answers else failure))
    )
    link.state = "working"
    shared.clock.run_for(5_000)
    waiting.until(lambda: shared.evaluate("document.querySelector('ss-player')?.peaks.length") == 4)
    shared.evaluate("document.querySelector('ss-player').loadPictures()")
    assert shared.evaluate("document.querySelector('ss-player').peaks.length") == 4
