"""A check of folder and database finds nothing where all is well, and has a message for each fault."""

import hashlib
import shutil

import pytest
from sqlalchemy import delete
from web_service import song_bytes, upload, work

from bridge.web.service.consistency import find_lost, find_violations
from bridge.web.service.tables import Job, Song, StemFile

DATA = song_bytes(1.0)


@pytest.fixture
def song(service, bea):
    """A song that is separated."""
    made = upload(bea, DATA)
    work(service)
    return made["id"]


def change(table, **values):
    def act(service, _):
        with service.database.write() as session:
            for name, value in values.items():
                setattr(session.query(table).one(), name, value)

    return act


def write(place):
    return lambda service, song_id: place(service, song_id).write_bytes(b"x")


def delete_rows_of_stems(service, _):
    with service.database.write() as session:
        session.execute(delete(StemFile))


TAMPERINGS = {
    "a job is running": change(Job, state="running"),
    "a job has a worker": change(Job, worker="gone"),
    "a song failed for no reason": change(Song, state="failed", job_id=None),
    "a song is working": change(Song, state="working"),
    "a song counts too much": change(Song, bytes=1),
    "a song has a cover that is not there": change(Song, cover=True),
    "stems are gone": lambda service, song_id: shutil.rmtree(next(service.data.song(song_id).glob("stems-*"))),
    "the source is gone": lambda service, song_id: (service.data.song(song_id) / "source.flac").unlink(),
    "a file beside the source": write(lambda service, song_id: service.data.song(song_id) / "more"),
    "a mix of no job": write(lambda service, song_id: service.data.mix(song_id, "x.wav")),
    "an upload of nobody": write(lambda service, _: service.data.part("nobody")),
    "work of nobody": write(lambda service, _: service.data.work / "nobody"),
    "a song of nobody": lambda service, _: service.data.song("nobody").mkdir(),
    "no rows of stems": delete_rows_of_stems,
}


def test_a_separated_song_is_as_it_should_be(service, song):
    assert find_violations(service) == []


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_what_is_wrong_is_found(service, song, kind):
    TAMPERINGS[kind](service, song)
    found = find_violations(service)
    assert found != []
    assert all(len(message.split()) > 3 for message in found)


def test_a_song_waiting_is_work_left(service, bea):
    upload(bea, DATA)
    assert len(find_violations(service)) == 2  # the song and its job


def test_lost_songs_bytes_and_jobs_are_found(service, bea, song):
    digest = hashlib.blake2b(DATA, digest_size=32).hexdigest()
    waiting = upload(bea, song_bytes(1.0, seed=1))["id"]
    assert find_lost(service, {song: digest}) == []
    assert find_lost(service, {"nobody": digest}) == ["song nobody was accepted and is gone"]
    assert find_lost(service, {waiting: digest}) == [f"song {waiting} has other bytes than were uploaded"]
    with service.database.write() as session:
        session.execute(delete(Job).where(Job.song_id == waiting))
    (service.data.song(waiting) / "upload").write_bytes(DATA)
    assert find_lost(service, {waiting: digest}) == [f"song {waiting} has no job"]
