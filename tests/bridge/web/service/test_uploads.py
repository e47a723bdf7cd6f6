"""Uploads: in one request or in pieces, resumed, refused, and never lost once they were accepted."""

import asyncio
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from web_service import song_bytes, upload, with_limits

from bridge.web.problems import Problem
from bridge.web.service import completion, upload_stream
from bridge.web.service.reconcile import reconcile
from bridge.web.service.tables import Job, Song, Upload
from bridge.web.service.upload_stream import receive
from bridge.web.service.uploads import MAX_NAME, clean_name
from stream_sep.lowlevel.atomic_file import lock_file

RAW = {"Content-Type": "application/octet-stream"}


def begin(browser, size, **headers):
    return browser.post("/api/v1/uploads", json={"name": "song.flac", "size": size}, headers=headers)


def send(browser, upload_id, data, offset):
    return browser.patch(f"/api/v1/uploads/{upload_id}", content=data, headers={**RAW, "Upload-Offset": str(offset)})


def code_of(response):
    return response.json()["code"]


def test_a_file_in_one_request_becomes_a_song_and_a_job(service, bea):
    data = song_bytes(2.0)
    song = upload(bea, data, "My Song.flac")
    assert (song["title"], song["state"], song["seconds"]) == ("My Song", "waiting", 2.0)
    assert (service.data.song(song["id"]) / "upload").read_bytes() == data
    with service.database.read() as session:
        assert session.scalars(select(Job.state).where(Job.song_id == song["id"])).all() == ["queued"]


def test_pieces_are_joined_and_the_last_makes_the_song(service, bea):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    at = 0
    for piece in (data[:1000], data[1000:1001], data[1001:]):
        response = send(bea, made["id"], piece, at)
        at += len(piece)
        assert response.headers["Upload-Offset"] == str(at)
    assert (response.json()["state"], response.json()["song"]["id"]) == ("received", made["id"])
    assert (service.data.song(made["id"]) / "upload").read_bytes() == data
    assert send(bea, made["id"], b"more", 0).json()["state"] == "received"


def test_a_piece_for_another_place_is_rejected_with_the_right_offset(bea):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    send(bea, made["id"], data[:1000], 0)
    refused = send(bea, made["id"], data[500:], 500)
    assert (refused.status_code, code_of(refused), refused.headers["Upload-Offset"]) == (409, "wrong-offset", "1000")
    status = bea.head(f"/api/v1/uploads/{made['id']}")
    assert (status.headers["Upload-Offset"], status.headers["Upload-Length"]) == ("1000", str(len(data)))


def test_bytes_behind_the_committed_offset_are_written_again(service, bea):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    send(bea, made["id"], data[:1000], 0)
    with service.data.part(made["id"]).open("ab") as file:
        file.write(b"left by a crash")
    assert send(bea, made["id"], data[1000:], 1000).json()["state"] == "received"
    assert (service.data.song(made["id"]) / "upload").read_bytes() == data


def test_the_same_key_again_is_the_same_upload_and_then_the_same_song(bea):
    data = song_bytes()
    first, second = (begin(bea, len(data), **{"Idempotency-Key": "k"}).json() for _ in range(2))
    assert first["id"] == second["id"]
    send(bea, first["id"], data, 0)
    again = begin(bea, len(data), **{"Idempotency-Key": "k"}).json()
    assert (again["id"], again["state"]) == (first["id"], "received")


def test_a_whole_file_with_its_key_is_sent_again_after_it_broke_off(service, bea):
    data = song_bytes()
    made = begin(bea, len(data), **{"Idempotency-Key": "k"}).json()
    send(bea, made["id"], data[:1000], 0)
    song = upload(bea, data, **{"Idempotency-Key": "k"})
    assert song["id"] == made["id"]
    assert (service.data.song(made["id"]) / "upload").read_bytes() == data


def test_a_key_of_another_file_is_refused(bea):
    begin(bea, 10, **{"Idempotency-Key": "k"})
    refused = begin(bea, 11, **{"Idempotency-Key": "k"})
    assert (refused.status_code, code_of(refused)) == (409, "key-in-use")


def test_two_requests_at_once_cannot_mix_their_bytes(service, bea):
    made = begin(bea, 3000).json()
    with service.database.read() as session:
        first, second = session.get(Upload, made["id"]), Upload(id=made["id"], size=3000, offset=0)

    async def blocks(byte, arrived):
        yield byte * 1000
        await arrived.wait()
        yield byte * 500

    async def race():
        arrived = asyncio.Event()
        late = asyncio.create_task(receive(service, first, blocks(b"a", arrived)))
        while not is_locked(service.data.part(made["id"])):  # noqa: ASYNC110 - a thread locks it, which sets no event
            await asyncio.sleep(0.01)
        with pytest.raises(Problem) as refused:
            await receive(service, second, blocks(b"b", arrived))
        arrived.set()
        return refused.value.code, await late

    assert asyncio.run(race()) == ("upload-busy", 1500)
    assert service.data.part(made["id"]).read_bytes() == b"a" * 1500
    assert send(bea, made["id"], b"c", 1500).headers["Upload-Offset"] == "1501"


def as_it_comes(service, made, stream):
    """Receive a stream for an upload; return the status, and the bytes that are kept."""
    with service.database.read() as session:
        upload = session.get(Upload, made["id"])
    try:
        asyncio.run(receive(service, upload, stream))
        status = 200
    except Problem as problem:
        status = problem.status
    with service.database.read() as session:
        return status, session.get(Upload, made["id"]).offset


def test_a_body_that_is_too_slow_is_ended_and_what_came_is_kept(service, bea, monkeypatch):
    monkeypatch.setattr(upload_stream, "MIN_RATE_SECONDS", 0.2)
    made = begin(bea, 3000).json()

    async def stalls():
        yield b"a" * 1000
        await asyncio.sleep(20)

    assert as_it_comes(service, made, stalls()) == (408, 1000)
    assert send(bea, made["id"], b"b" * 500, 1000).headers["Upload-Offset"] == "1500"


def test_a_body_that_takes_long_at_a_fair_rate_is_received(service, bea, monkeypatch):
    monkeypatch.setattr(upload_stream, "MIN_RATE_SECONDS", 2.0)
    monkeypatch.setattr(upload_stream, "MIN_RATE_BYTES", 100)
    made = begin(bea, 3000).json()

    async def steady():
        for _ in range(8):
            yield b"a" * 100
            await asyncio.sleep(0.4)

    assert as_it_comes(service, made, steady()) == (200, 800)


def is_locked(path):
    with path.open("rb") as file:
        try:
            return not lock_file(file.fileno())
        except BlockingIOError:
            return True


def test_the_last_piece_sent_twice_while_it_is_looked_at_leaves_the_file_whole(service, bea, monkeypatch):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    probe, again = completion.probe_song, []
    moved = service.data.song(made["id"]) / "upload"

    def probe_slowly(_, limit, empty):
        if not moved.exists():
            moved.parent.mkdir()
            service.data.part(made["id"]).rename(moved)  # as a request does that has looked at it already
            again.append(send(bea, made["id"], b"", len(data)).json()["state"])
        return probe(moved, limit, empty)

    monkeypatch.setattr(completion, "probe_song", probe_slowly)
    assert send(bea, made["id"], data, 0).json()["state"] == "received"
    assert again == ["received"]
    assert moved.read_bytes() == data


def test_an_upload_that_another_process_moves_while_it_is_read_is_not_taken_for_noise(service, bea, monkeypatch):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    moved = service.data.song(made["id"]) / "upload"
    probe = completion.probe_song

    def move_then_probe(path, *rest):
        if not moved.exists():
            moved.parent.mkdir()
            path.rename(moved)
        return probe(path, *rest)

    monkeypatch.setattr(completion, "probe_song", move_then_probe)
    assert send(bea, made["id"], data, 0).json()["state"] == "received"
    assert moved.read_bytes() == data


def test_a_part_that_somebody_removed_begins_anew(service, bea):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    send(bea, made["id"], data[:1000], 0)
    service.data.part(made["id"]).unlink()
    refused = send(bea, made["id"], data[1000:], 1000)
    assert (refused.status_code, refused.headers["Upload-Offset"]) == (409, "0")
    assert send(bea, made["id"], data, 0).json()["state"] == "received"


def test_a_cancelled_upload_leaves_nothing(service, bea):
    made = begin(bea, 10_000).json()
    send(bea, made["id"], b"x" * 100, 0)
    assert bea.delete(f"/api/v1/uploads/{made['id']}").status_code == 204
    assert bea.get(f"/api/v1/uploads/{made['id']}").status_code == 404
    assert list(service.data.incoming.iterdir()) == []
    assert bea.get("/api/v1/me").json()["storage"]["used"] == 0


def test_a_file_that_is_too_large_is_refused_before_its_first_byte(service, bea):
    with_limits(service, max_upload_bytes=1000)
    refused = begin(bea, 1001)
    assert (refused.status_code, code_of(refused)) == (413, "too-large")
    whole = bea.post("/api/v1/songs?name=a.wav", content=b"x" * 1001, headers=RAW)
    assert (whole.status_code, code_of(whole)) == (413, "too-large")


def test_more_bytes_than_were_announced_are_refused(bea):
    made = begin(bea, 100).json()
    refused = send(bea, made["id"], b"x" * 101, 0)
    assert (refused.status_code, code_of(refused)) == (413, "too-many-bytes")


def test_the_quota_is_reserved_before_the_first_byte(service, bea):
    with_limits(service, quota_bytes=1_500_000)
    assert begin(bea, 1_000_000).status_code == 201
    refused = begin(bea, 1_000_000)
    assert (refused.status_code, code_of(refused)) == (413, "quota-full")


def test_three_uploads_come_in_at_once(bea):
    replies = [begin(bea, 10) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [201] * 3 + [429]
    assert int(replies[3].headers["Retry-After"]) > 0


def test_unfinished_uploads_are_listed_until_they_end(bea, sign_up):
    data = song_bytes(1.0)
    first, second, third = (begin(bea, len(data)).json() for _ in range(3))
    send(bea, first["id"], data[:1000], 0)
    begin(sign_up("cleo"), 10)
    listed = bea.get("/api/v1/uploads").json()
    assert [(one["id"], one["offset"]) for one in listed] == [
        (first["id"], 1000),
        (second["id"], 0),
        (third["id"], 0),
    ]
    assert (listed[0]["name"], listed[0]["size"], listed[0]["state"]) == ("song.flac", len(data), "receiving")
    send(bea, first["id"], data[1000:], 1000)
    bea.delete(f"/api/v1/uploads/{second['id']}")
    assert [one["id"] for one in bea.get("/api/v1/uploads").json()] == [third["id"]]


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_content_decides_whatever_the_name(bea, form):
    assert upload(bea, song_bytes(2.0, form=form), "song.txt")["state"] == "waiting"


def test_what_is_no_sound_is_refused_and_leaves_nothing(service, bea):
    refused = bea.post("/api/v1/songs?name=song.mp3", content=b"no sound at all " * 100, headers=RAW)
    assert (refused.status_code, code_of(refused)) == (422, "not-audio")
    assert [*service.data.incoming.iterdir(), *service.data.songs.iterdir()] == []
    with service.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_a_song_that_is_too_long_is_refused_with_both_lengths(service, bea):
    with_limits(service, max_song_seconds=60)
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(8000 * 180), 8000, format="FLAC")
    refused = bea.post("/api/v1/songs?name=long.flac", content=silence.getvalue(), headers=RAW)
    assert (code_of(refused), refused.json()["detail"]) == (
        "too-long",
        "It is 3 minutes long; this server takes 60 seconds.",
    )


def test_an_unknown_model_is_refused(bea):
    new = {"name": "a.mp3", "size": 10, "settings": {"model": "nonesuch"}}
    assert code_of(bea.post("/api/v1/uploads", json=new)) == "unknown-model"


def test_an_upload_that_was_whole_when_the_server_ended_becomes_a_song(service, bea):
    data = song_bytes()
    made = begin(bea, len(data)).json()
    service.data.part(made["id"]).write_bytes(data)
    with service.database.write() as session:
        session.get(Upload, made["id"]).offset = len(data)
    assert reconcile(service).completed == [made["id"]]
    assert bea.get(f"/api/v1/songs/{made['id']}").json()["state"] == "waiting"
    with service.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Song)) == 1


@given(
    st.text(max_size=300)
    | st.sampled_from(["../../etc/passwd", "CON", "a\0b", "\u202egnp.mp3", "C:\\x\\y.mp3", "…/"])
)
@settings(deadline=None)
def test_names_become_one_part_without_controls(name):
    cleaned = clean_name(name)
    assert 1 <= len(cleaned) <= MAX_NAME
    assert "/" not in cleaned
    assert cleaned.isprintable()


@pytest.mark.parametrize("name", ["../../evil.flac", "a\u202eb.flac", "CON", "𝄞.flac", "x" * 900])
def test_names_never_reach_the_disk(service, bea, name):
    song = upload(bea, song_bytes(1.0), name)
    on_disk = {path.name for path in service.data.root.rglob("*")}
    assert {entry for entry in on_disk if not entry.startswith("serve.db")} == {
        "empty",
        "incoming",
        "songs",
        "work",
        song["id"],
        "upload",
    }


def test_an_upload_whose_job_could_not_wait_is_refused_before_its_first_byte(service, bea):
    with_limits(service, max_waiting_jobs=1)
    upload(bea, song_bytes(1.0))
    refused = begin(bea, 1000)
    assert (refused.status_code, code_of(refused)) == (429, "queue-full")
    assert int(refused.headers["Retry-After"]) > 0
