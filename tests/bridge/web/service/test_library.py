"""The library: search, pages, words, trash, shares, mixes."""

import io
import os
import zipfile

import numpy as np
import pytest
import soundfile
from web_service import song_bytes, upload, with_limits, work

from bridge.web.service import claims
from bridge.web.service.reconcile import housekeep
from bridge.web.service.songs import PAGE
from bridge.web.service.tables import Event, Song

DAY = 86400


def titles(browser, query=""):
    return [song["title"] for song in browser.get(f"/api/v1/songs?{query}").json()["songs"]]


@pytest.fixture
def shelf(service, bea):
    """A library of many songs, written straight into the database."""
    owner = bea.get("/api/v1/me").json()["id"]

    def add(*names):
        with service.database.write() as session:
            for name in names:
                title, _, artist = name.partition("/")
                words = f"{title} {artist}".casefold()
                session.add(
                    Song(
                        user_id=owner,
                        title=title,
                        artist=artist,
                        file_name=f"{title}.mp3",
                        words=words,
                        state="ready",
                        bytes=10,
                        created=service.clock(),
                    )
                )

    return add


def test_words_are_found_in_any_order_without_case_and_accents(bea, shelf):
    shelf("Cafe Noir/Ada", "Blue/Bea", "Noir/Cleo")
    assert titles(bea, "q=NOIR cafe") == ["Cafe Noir"]
    assert titles(bea, "q=n%C3%B6ir") == ["Noir", "Cafe Noir"]
    assert titles(bea, "q=%25") == []


def test_pages_hold_every_song_once_whatever_comes_meanwhile(bea, shelf):
    shelf(*(f"song {number:03}" for number in range(2 * PAGE + 5)))
    seen, cursor = [], ""
    while cursor is not None:
        page = bea.get("/api/v1/songs", params={"sort": "title", "cursor": cursor}).json()
        seen += [song["title"] for song in page["songs"]]
        cursor = page["next"]
        shelf(f"a song that came meanwhile {len(seen)}")
    assert [title for title in seen if title.startswith("song")] == [f"song {n:03}" for n in range(2 * PAGE + 5)]


@pytest.mark.parametrize(("sort", "first"), [("created", "a"), ("-created", "c"), ("title", "a"), ("-title", "c")])
def test_songs_are_sorted_both_ways(bea, shelf, sort, first):
    shelf("a", "b", "c")
    assert titles(bea, f"sort={sort}")[0] == first


def test_the_newest_song_is_first_by_default(bea, shelf):
    shelf("a", "b", "c")
    assert titles(bea) == ["c", "b", "a"]


def test_a_cursor_or_an_order_of_nobodys_is_refused(bea):
    assert bea.get("/api/v1/songs?cursor=rubbish").status_code == 422
    assert bea.get("/api/v1/songs?sort=bytes").status_code == 422


def test_words_are_changed_only_on_what_was_read(bea):
    song = upload(bea, song_bytes(1.0))
    url = f"/api/v1/songs/{song['id']}"
    changed = bea.patch(url, json={"title": "New", "artist": "Me"}, headers={"If-Match": song["etag"]})
    assert (changed.json()["title"], changed.headers["ETag"]) == ("New", '"2"')
    late = bea.patch(url, json={"title": "Late"}, headers={"If-Match": song["etag"]})
    assert (late.status_code, late.json()["code"]) == (412, "changed-meanwhile")
    assert titles(bea, "q=me new") == ["New"]


def test_the_trash_keeps_a_song_for_a_week(service, clock, bea):
    song = upload(bea, song_bytes(1.0))
    url = f"/api/v1/songs/{song['id']}"
    bea.delete(url)
    assert (titles(bea), titles(bea, "trash=true")) == ([], ["song"])
    assert bea.get(f"{url}/peaks").status_code == 404
    bea.patch(url, json={"deleted": False})
    assert titles(bea) == ["song"]
    bea.delete(url)
    clock.now += 7 * DAY + 1
    housekeep(service)
    assert bea.get(url).status_code == 401 or titles(bea, "trash=true") == []
    assert not service.data.song(song["id"]).exists()


def test_deleted_for_ever_is_gone_at_once(service, bea):
    song = upload(bea, song_bytes(1.0))
    assert bea.delete(f"/api/v1/songs/{song['id']}?forever=true").status_code == 204
    assert bea.get(f"/api/v1/songs/{song['id']}").status_code == 404
    assert not service.data.song(song["id"]).exists()
    assert bea.get("/api/v1/me").json()["storage"]["used"] == 0


def test_a_share_link_plays_and_nothing_else(service, bea, browse):
    song = upload(bea, song_bytes(2.0), name="Secret name.flac")
    work(service)
    made = bea.post(f"/api/v1/songs/{song['id']}/shares", json={}).json()
    guest, base = browse(), f"/api/v1/shares/{made['key']}"
    shown = guest.get(base).json()
    assert (shown["title"], shown["file_name"], shown["id"]) == ("Secret name", "", "")
    assert guest.get(f"{base}/pieces/0").status_code == 200
    assert guest.get(f"{base}/peaks").status_code == 200
    for path in ("stems/drums.flac", "all.zip", "source.flac", "stems.stem.mp4"):
        assert guest.get(f"{base}/{path}").json()["code"] == "play-only"
    assert guest.get(f"/api/v1/songs/{song['id']}").status_code == 401
    assert bea.get(f"/api/v1/songs/{song['id']}/shares").json()[0]["key"] is None


def test_a_link_that_allows_it_gives_files(service, bea, browse):
    song = upload(bea, song_bytes(2.0))
    work(service)
    key = bea.post(f"/api/v1/songs/{song['id']}/shares", json={"download": True}).json()["key"]
    assert browse().get(f"/api/v1/shares/{key}/stems/drums.flac").status_code == 200


@pytest.fixture
def link(service, bea):
    """The path of a link that allows downloads, in the API, and that of its song's links."""
    song = upload(bea, song_bytes(1.0))
    work(service)
    shares = f"/api/v1/songs/{song['id']}/shares"
    key = bea.post(shares, json={"download": True}).json()["key"]
    return f"/api/v1/shares/{key}", shares


def test_visits_of_a_link_are_counted_once_an_hour_for_an_address(clock, bea, browse, link):
    path, shares = link
    for wait in (0, 10, 3600):
        clock.now += wait
        browse().get(path)
    browse().get(f"{path}/pieces/0")
    assert [share["visits"] for share in bea.get(shares).json()] == [2]


@pytest.mark.parametrize("what", ["", "/stems/drums.flac", "/all.zip"])
def test_a_guest_opens_links_and_downloads_sixty_times_a_minute(clock, browse, link, what):
    guest, path = browse(), link[0]
    assert [guest.get(path + what).status_code for _ in range(61)] == [200] * 60 + [429]
    assert guest.get(f"{path}/pieces/0").status_code == 200
    clock.now += 61
    assert guest.get(path + what).status_code == 200


@pytest.mark.parametrize("what", ["", "/pieces/0", "/peaks", "/cover", "/source.flac"])
def test_a_guest_tries_sixty_keys_a_minute(browse, what):
    guest = browse()
    codes = [guest.get(f"/api/v1/shares/key{number}{what}").status_code for number in range(61)]
    assert codes == [404] * 60 + [429]


def test_names_in_a_zip_are_names_of_files_on_every_system(service, bea):
    song = upload(bea, song_bytes(1.0))
    work(service)
    url = f"/api/v1/songs/{song['id']}"
    bea.patch(url, json={"title": 'a\\b/c:d "e"?'})
    with zipfile.ZipFile(io.BytesIO(bea.get(f"{url}/all.zip").content)) as archive:
        assert archive.namelist()[0] == "a_b_c_d _e__ - vocals.flac"


def test_links_end_by_time_by_hand_and_with_the_song(service, clock, bea, browse):
    song = upload(bea, song_bytes(1.0))
    shares = f"/api/v1/songs/{song['id']}/shares"
    made = [bea.post(shares, json={"days": days}).json() for days in (1, 30, 30)]
    guest = browse()

    def status(link):
        return guest.get(f"/api/v1/shares/{link['key']}").status_code

    assert [status(link) for link in made] == [200] * 3
    clock.now += DAY + 1
    bea.delete(f"{shares}/{made[1]['id']}")
    assert [status(link) for link in made] == [404, 404, 200]
    bea.delete(f"/api/v1/songs/{song['id']}")
    assert status(made[2]) == 404
    assert guest.get(f"/api/v1/shares/{made[2]['key']}").json()["code"] == "link-ended"


def test_a_mix_is_the_sum_of_the_stems_with_the_gains_chosen(service, bea):
    song = upload(bea, song_bytes(4.0))
    work(service)
    base = f"/api/v1/songs/{song['id']}"
    strips = {"vocals": {"gain_db": -6}, "drums": {"mute": True}, "bass": {"pan": 1.0}}
    body = {"strips": strips, "master_db": -3, "first_frame": 1000, "end_frame": 90_000, "format": "wav"}
    job = bea.post(f"{base}/mixes", json=body).json()
    work(service)
    done = bea.get(f"/api/v1/jobs/{job['id']}").json()
    assert (done["kind"], done["state"]) == ("mix", "done")
    mixed = soundfile.read(io.BytesIO(bea.get(done["download"]).content))[0]

    def stem(name):
        return soundfile.read(io.BytesIO(bea.get(f"{base}/stems/{name}.flac").content))[0][1000:90_000]

    gain = 10 ** (-3 / 20)
    expected = gain * (10 ** (-6 / 20) * stem("vocals") + stem("bass") * [0.0, 1.0] + stem("other"))
    assert np.abs(mixed - expected).max() < 2 / 32768


def test_a_mix_of_stems_that_are_not_there_is_refused(service, bea):
    song = upload(bea, song_bytes(1.0))
    url = f"/api/v1/songs/{song['id']}/mixes"
    assert bea.post(url, json={}).json()["code"] == "not-separated"
    work(service)
    assert bea.post(url, json={"strips": {"flute": {}}}).json()["code"] == "unknown-stem"
    assert bea.post(url, json={"first_frame": 44100}).json()["code"] == "empty-region"


def test_a_mix_goes_after_a_day(service, clock, bea):
    song = upload(bea, song_bytes(1.0))
    work(service)
    job = bea.post(f"/api/v1/songs/{song['id']}/mixes", json={}).json()
    work(service)
    url = bea.get(f"/api/v1/jobs/{job['id']}").json()["download"]
    assert bea.get(url).status_code == 200
    clock.now += DAY + 1
    housekeep(service)
    assert bea.get(url).status_code == 404
    assert list(service.data.song(song["id"]).glob("mix-*")) == []


def test_the_account_with_the_fewest_running_goes_first(service, bea, sign_up):
    cleo = sign_up("cleo")
    for number in range(3):
        upload(bea, song_bytes(1.0, seed=number))
    upload(cleo, song_bytes(1.0))
    ids = {browser.get("/api/v1/me").json()["id"]: name for browser, name in ((bea, "bea"), (cleo, "cleo"))}
    order = [ids[claims.claim(service, f"worker {n}", ("separate",)).user_id] for n in range(4)]
    assert order == ["bea", "cleo", "bea", "bea"]


def test_a_waiting_job_is_moved_among_its_owners_and_no_other_waits_longer(service, bea, sign_up):
    cleo = sign_up("cleo")
    jobs = [upload(bea, song_bytes(1.0, seed=number)) for number in range(2)]
    others = upload(cleo, song_bytes(1.0))
    jobs.append(upload(bea, song_bytes(1.0, seed=2)))
    first, second, last = (job_of(bea, song)["id"] for song in jobs)
    before = job_of(cleo, others)["position"]
    moved = bea.post(f"/api/v1/jobs/{last}/move", json={"to": 1}).json()
    assert moved["position"] == 1
    assert [job["id"] for job in bea.get("/api/v1/jobs").json()] == [last, first, second]
    assert job_of(cleo, others)["position"] == before == 3
    bea.post(f"/api/v1/jobs/{last}/move", json={"to": 1000})
    assert [job["id"] for job in bea.get("/api/v1/jobs").json()] == [first, second, last]
    assert claims.claim(service, "worker", ("separate",)).job_id == first
    refused = bea.post(f"/api/v1/jobs/{first}/move", json={"to": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "not-waiting")


def job_of(browser, song):
    return browser.get(f"/api/v1/songs/{song['id']}").json()["job"]


def test_positions_count_jobs_of_one_kind(service, bea):
    song = upload(bea, song_bytes(1.0))
    work(service)
    bea.post(f"/api/v1/songs/{song['id']}/mixes", json={})
    waiting = [upload(bea, song_bytes(1.0, seed=number)) for number in (1, 2)]
    bea.post(f"/api/v1/jobs/{job_of(bea, waiting[1])['id']}/move", json={"to": 1})
    with service.database.read() as session:
        events = [event.body for event in session.query(Event).order_by(Event.seq) if event.kind == "job"][-2:]
    assert [(body["kind"], body["position"]) for body in events] == [("separate", 1), ("separate", 2)]


def test_too_many_waiting_jobs_are_refused(service, bea):
    song = upload(bea, song_bytes(1.0))
    with_limits(service, max_waiting_jobs=1)
    refused = bea.post(f"/api/v1/songs/{song['id']}/jobs", json={"stems": ["drums"], "model": "passthrough"})
    assert (refused.status_code, refused.json()["code"]) == (429, "queue-full")


def test_copies_in_other_formats_go_after_a_day(service, bea):
    song = upload(bea, song_bytes(1.0))
    work(service)
    assert bea.get(f"/api/v1/songs/{song['id']}/stems/other.mp3").status_code == 200
    (copies,) = service.data.work.iterdir()
    housekeep(service)
    assert copies.exists()
    os.utime(copies, (0, 0))
    housekeep(service)
    assert not copies.exists()
    assert bea.get(f"/api/v1/songs/{song['id']}/stems/other.mp3").status_code == 200
