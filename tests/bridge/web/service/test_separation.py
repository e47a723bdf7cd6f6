"""From the upload to stems that can be played and taken away, with our own separators."""

import io
import time
import zipfile
from unittest import mock

import numpy as np
import pytest
import soundfile
import soxr
from web_service import song_bytes, upload, with_limits, work

from bridge.web.service.lease import Lease, StopWorkError


def decoded(blob):
    return soundfile.read(io.BytesIO(blob), dtype="int16", always_2d=True)


def split_blobs(body):
    """Split a body into its blobs, each of which follows its length."""
    blobs, at = [], 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "little")
        blobs.append(body[at + 4 : at + 4 + length])
        at += 4 + length
    return blobs


def song_of(browser, song):
    return browser.get(f"/api/v1/songs/{song['id']}").json()


@pytest.fixture
def ready(service, bea):
    """A song of five seconds whose stems are whole."""
    song = upload(bea)
    work(service)
    return song_of(bea, song)


def test_song_is_separated_and_lists_its_stems(ready):
    assert (ready["state"], ready["stems"], ready["frames"]) == (
        "ready",
        ["vocals", "drums", "bass", "other"],
        5 * 44100,
    )
    assert (ready["job"]["state"], ready["job"]["share"], ready["piece_frames"]) == ("done", 1.0, 88200)


def test_pieces_join_to_the_stems_sample_for_sample(bea, ready):
    base = f"/api/v1/songs/{ready['id']}"
    pieces = [split_blobs(bea.get(f"{base}/pieces/{n}").content) for n in range(3)]
    assert bea.get(f"{base}/pieces/3").status_code == 404
    for index, stem in enumerate(ready["stems"]):
        joined = np.concatenate([decoded(piece[index])[0] for piece in pieces])
        whole, rate = decoded(bea.get(f"{base}/stems/{stem}.flac").content)
        assert rate == 44100
        np.testing.assert_array_equal(joined, whole)


def test_the_stems_add_up_to_the_song(bea, ready):
    source = soundfile.read(io.BytesIO(song_bytes()), dtype="float32")[0]
    base = f"/api/v1/songs/{ready['id']}/stems"
    total = sum(
        soundfile.read(io.BytesIO(bea.get(f"{base}/{stem}.flac").content), dtype="float32")[0]
        for stem in ready["stems"]
    )
    assert np.abs(total - source).max() <= 2.5 / 32768


def test_pieces_at_another_rate_are_those_of_the_whole_song_resampled(bea, ready):
    base = f"/api/v1/songs/{ready['id']}"
    whole = soundfile.read(io.BytesIO(bea.get(f"{base}/stems/drums.flac").content), dtype="float32")[0]
    expected = soxr.resample(whole, 44100, 48000)
    index = ready["stems"].index("drums")
    pieces = [split_blobs(bea.get(f"{base}/pieces/{n}?rate=48000").content)[index] for n in range(3)]
    joined = np.concatenate([soundfile.read(io.BytesIO(piece), dtype="float32")[0] for piece in pieces])
    assert len(joined) == len(expected)
    error = np.abs(joined - expected).max()
    assert error < 2 / 32768


def test_peaks_hold_the_least_and_greatest_of_each_256_frames(bea, ready):
    base = f"/api/v1/songs/{ready['id']}"
    index = ready["stems"].index("drums")
    pairs = np.frombuffer(split_blobs(bea.get(f"{base}/peaks").content)[index], np.int8).reshape(-1, 2)
    sound = decoded(bea.get(f"{base}/stems/drums.flac").content)[0] / 32768
    assert len(pairs) == -(-len(sound) // 256)
    for at in (0, 100, len(pairs) - 1):
        block = sound[at * 256 : (at + 1) * 256]
        assert abs(pairs[at, 0] / 127 - block.min()) < 0.005
        assert abs(pairs[at, 1] / 127 - block.max()) < 0.005


def test_a_spectrogram_shows_a_tone_in_its_band(service, bea):
    rate, tone = 44100, 1000.0
    wave = 0.5 * np.sin(2 * np.pi * tone * np.arange(4 * rate) / rate)
    file = io.BytesIO()
    soundfile.write(file, np.stack([wave, wave], 1), rate, format="WAV")
    song = upload(bea, file.getvalue())
    work(service)
    blobs = split_blobs(bea.get(f"/api/v1/songs/{song['id']}/spectrogram").content)
    loudest = max(blobs, key=sum)
    columns = np.frombuffer(loudest, np.uint8).reshape(-1, 128)
    edges = np.geomspace(40, 16000, 129)
    band = columns[20].argmax()
    assert edges[max(band - 1, 0)] <= tone <= edges[band + 2]
    assert len(columns) == -(-4 * rate // 2048)


def test_byte_ranges_of_a_stem(bea, ready):
    url = f"/api/v1/songs/{ready['id']}/stems/vocals.flac"
    whole = bea.get(url).content
    part = bea.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])


@pytest.mark.parametrize("form", ["wav", "mp3", "ogg"])
def test_a_stem_in_another_format_is_as_long(bea, ready, form):
    got = bea.get(f"/api/v1/songs/{ready['id']}/stems/bass.{form}")
    assert f"song - bass.{form}" in got.headers["Content-Disposition"]
    assert abs(soundfile.info(io.BytesIO(got.content)).frames - ready["frames"]) < 3000


def test_a_zip_holds_every_stem_whole(bea, ready):
    got = bea.get(f"/api/v1/songs/{ready['id']}/all.zip")
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"song - {stem}.flac" for stem in ready["stems"]]
        assert archive.read("song - drums.flac") == bea.get(f"/api/v1/songs/{ready['id']}/stems/drums.flac").content


def test_a_name_of_any_letters_comes_back_as_it_was(service, bea):
    song = upload(bea, name='Ünïcødé 🎵 "x".flac')
    work(service)
    header = bea.get(f"/api/v1/songs/{song['id']}/stems/bass.flac").headers["Content-Disposition"]
    assert "filename*=UTF-8''%C3%9Cn%C3%AFc%C3%B8d%C3%A9%20%F0%9F%8E%B5" in header
    assert "\n" not in header


def test_what_was_uploaded_goes_once_it_was_decoded(service, ready):
    names = {path.name for path in service.data.song(ready["id"]).iterdir()}
    assert names == {"source.flac", f"stems-{ready['job']['id']}"}
    assert list(service.data.work.iterdir()) == []


def test_the_quota_is_the_sum_of_what_is_on_the_disk(service, bea, ready):
    on_disk = sum(path.stat().st_size for path in service.data.song(ready["id"]).rglob("*") if path.is_file())
    assert bea.get("/api/v1/me").json()["storage"]["used"] == on_disk


def test_a_cut_off_file_fails_with_a_message_and_is_tried_again(service, bea):
    song = upload(bea, song_bytes()[:-30_000])
    work(service)
    failed = song_of(bea, song)
    assert failed["state"] == "failed"
    assert failed["error"].endswith(".")
    assert str(service.data.root) not in failed["error"]
    again = bea.post(f"/api/v1/jobs/{failed['job']['id']}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert song_of(bea, song)["state"] == "waiting"


def test_headers_that_lie_about_the_length_do_not_help(service, bea):
    with_limits(service, max_song_seconds=60)
    song = upload(bea, song_bytes(5.0))
    with_limits(service, max_song_seconds=3)
    work(service)
    assert song_of(bea, song)["error"] == "It is more than 3 seconds long; this server takes 3 seconds."


def test_asking_twice_is_one_job(service, bea, ready):
    settings = {"model": "passthrough"}
    jobs = [bea.post(f"/api/v1/songs/{ready['id']}/jobs", json=settings).json()["id"] for _ in range(2)]
    assert jobs[0] == jobs[1]


def test_separating_again_keeps_the_old_stems_until_the_new_are_whole(service, bea, ready):
    job = bea.post(f"/api/v1/songs/{ready['id']}/jobs", json={"model": "passthrough", "stems": ["vocals"]}).json()
    assert song_of(bea, ready)["state"] == "ready"
    assert bea.get(f"/api/v1/songs/{ready['id']}/pieces/0").status_code == 200
    work(service)
    after = song_of(bea, ready)
    assert (after["stems"], after["job"]["id"]) == (["vocals"], job["id"])
    folders = [path.name for path in service.data.song(ready["id"]).glob("stems-*")]
    assert folders == [f"stems-{job['id']}"]


def test_pieces_are_kept_by_browsers_only_under_the_version_of_their_stems(service, bea, ready):
    def kept(song):
        base, version = f"/api/v1/songs/{ready['id']}", song["stems_version"]
        paths = [f"{what}?v={version}" for what in ("pieces/0", "peaks", "spectrogram")]
        return {bea.get(f"{base}/{path}").headers["Cache-Control"] for path in paths}

    assert kept(ready) == {"private, max-age=31536000, immutable"}
    assert bea.get(f"/api/v1/songs/{ready['id']}/pieces/0").headers["Cache-Control"] == "no-store"
    bea.post(f"/api/v1/songs/{ready['id']}/jobs", json={"model": "passthrough", "stems": ["vocals"]})
    work(service)
    after = song_of(bea, ready)
    assert after["stems_version"] not in {"", ready["stems_version"]}
    assert (kept(ready), kept(after)) == ({"no-store"}, {"private, max-age=31536000, immutable"})


def test_a_waiting_job_is_cancelled_at_once(service, bea):
    song = upload(bea)
    job = song_of(bea, song)["job"]
    assert bea.post(f"/api/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    work(service)
    assert song_of(bea, song)["state"] == "cancelled"
    assert bea.get(f"/api/v1/songs/{song['id']}/pieces/0").json()["code"] == "not-ready"


@pytest.fixture
def at_first_window(monkeypatch):
    """A function that runs an action once while a song is separated, then waits until the worker notices a cancel."""
    plain = Lease.report

    def install(action):
        actions = [action]

        def report(self, stage, *rest):
            if stage == "separate" and actions:
                actions.pop()()
                limit = time.monotonic() + 60
                while not self._reason and time.monotonic() < limit:
                    time.sleep(0.01)
            plain(self, stage, *rest)

        monkeypatch.setattr(Lease, "report", report)
        monkeypatch.setattr("bridge.web.service.lease.RENEW_SECONDS", 0.02)

    return install


def test_a_running_job_that_is_cancelled_leaves_no_stems(service, bea, at_first_window):
    song = upload(bea)
    job = song_of(bea, song)["job"]
    at_first_window(lambda: bea.post(f"/api/v1/jobs/{job['id']}/cancel"))
    work(service)
    assert song_of(bea, song)["state"] == "cancelled"
    assert list(service.data.work.iterdir()) == []
    assert list(service.data.song(song["id"]).glob("stems-*")) == []
    assert bea.post(f"/api/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"


def test_undo_of_a_delete_continues_the_separation_of_a_waiting_song(service, bea):
    song = upload(bea)
    url = f"/api/v1/songs/{song['id']}"
    bea.delete(url)
    assert bea.get(url).json()["state"] == "cancelled"
    assert bea.patch(url, json={"deleted": False}).json()["state"] == "waiting"
    work(service)
    assert song_of(bea, song)["state"] == "ready"


def test_undo_of_a_delete_continues_the_separation_of_a_song_in_work(service, bea, at_first_window):
    song = upload(bea)
    url = f"/api/v1/songs/{song['id']}"
    noticed = []

    def delete():
        bea.delete(url)
        noticed.append(song_of(bea, song)["state"])

    at_first_window(delete)
    original = StopWorkError.__init__

    def restore_first(self, reason):
        """The user undoes the delete after the worker noticed the cancel, and before it ended the job."""
        bea.patch(url, json={"deleted": False})
        original(self, reason)

    with mock.patch.object(StopWorkError, "__init__", restore_first):
        work(service)
    assert (noticed, song_of(bea, song)["state"]) == (["working"], "ready")


def test_undo_of_a_delete_leaves_a_job_alone_that_was_cancelled_before(service, clock, bea):
    song = upload(bea)
    url = f"/api/v1/songs/{song['id']}"
    bea.post(f"/api/v1/jobs/{song_of(bea, song)['job']['id']}/cancel")
    clock.now += 1
    bea.delete(url)
    assert bea.patch(url, json={"deleted": False}).json()["state"] == "cancelled"


def test_positions_show_whose_turn_it_is(bea):
    songs = [upload(bea, song_bytes(1.0, seed=n)) for n in range(3)]
    assert [song_of(bea, song)["job"]["position"] for song in songs] == [1, 2, 3]
