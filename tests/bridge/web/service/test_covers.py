"""Covers in uploaded files: shown, but written anew, small, and never a reason for a song to fail."""

import io
import shutil
import struct
import subprocess
import zipfile
import zlib

import pytest
from requirements import require
from web_service import song_bytes, upload, work

from bridge.web.service.consistency import find_violations
from stream_sep.files.ffmpeg import INSTALL, probe_streams

SECRET = b"shot at 52.5 north"


@pytest.fixture(autouse=True)
def _ffmpeg():
    require(shutil.which("ffmpeg"), INSTALL)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows=None):
    """Return a grey PNG with a comment; a bomb where it announces more rows than it has."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * (height if rows is None else rows))
    text = chunk(b"tEXt", b"Comment\0" + SECRET)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + text + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.fixture
def with_cover(tmp_path):
    """A function that embeds a picture in a song and returns the file's bytes."""

    def embed(picture, ending="mp3"):
        sound, image, song = tmp_path / "sound.flac", tmp_path / "cover.png", tmp_path / f"song.{ending}"
        sound.write_bytes(song_bytes(1.0))
        image.write_bytes(picture)
        command = ["ffmpeg", "-v", "error", "-y", "-i", sound, "-i", image, "-map", "0:a", "-map", "1:v"]
        command += ["-c:v", "copy", "-disposition:v", "attached_pic", song]
        subprocess.run(command, check=True)
        return song.read_bytes()

    return embed


def separated(service, browser, data):
    song = upload(browser, data)
    work(service)
    found = browser.get(f"/api/v1/songs/{song['id']}").json()
    assert found["state"] == "ready", found["error"]
    return found


@pytest.mark.parametrize("ending", ["mp3", "flac", "m4a"])
def test_a_cover_is_written_anew_at_512_pixels(service, bea, with_cover, tmp_path, ending):
    song = separated(service, bea, with_cover(png(1000, 600), ending))
    assert song["cover"]
    got = bea.get(f"/api/v1/songs/{song['id']}/cover")
    assert got.headers["Content-Type"] == "image/jpeg"
    assert SECRET not in got.content
    (tmp_path / "got.mp3").write_bytes(with_cover(got.content))
    (picture,) = [one for one in probe_streams(tmp_path / "got.mp3")["streams"] if one["codec_type"] == "video"]
    assert (picture["codec_name"], picture["width"], picture["height"]) == ("mjpeg", 512, 307)
    assert find_violations(service) == []


def test_a_share_link_shows_the_cover(service, bea, browse, with_cover):
    song = separated(service, bea, with_cover(png(64, 64)))
    key = bea.post(f"/api/v1/songs/{song['id']}/shares", json={}).json()["key"]
    mine = bea.get(f"/api/v1/songs/{song['id']}/cover").content
    assert browse().get(f"/api/v1/shares/{key}/cover").content == mine


def test_a_small_cover_keeps_its_size(service, bea, with_cover):
    song = separated(service, bea, with_cover(png(40, 30)))
    content = bea.get(f"/api/v1/songs/{song['id']}/cover").content
    assert struct.pack(">HH", 30, 40) in content[:400]  # in the frame header of the JPEG


@pytest.mark.parametrize("picture", [png(30_000, 30_000, rows=1), png(100, 100)[:60]], ids=["a bomb", "cut off"])
def test_a_cover_that_cannot_be_read_is_left_out(service, bea, with_cover, picture):
    whole = with_cover(png(64, 64))
    original = png(64, 64)
    assert original in whole
    song = separated(service, bea, whole.replace(original, picture.ljust(len(original), b"\0")[: len(original)]))
    assert not song["cover"]
    assert bea.get(f"/api/v1/songs/{song['id']}/cover").status_code == 404
    assert find_violations(service) == []


def test_a_song_without_a_cover_has_none(service, bea):
    song = separated(service, bea, song_bytes(1.0))
    assert not song["cover"]
    assert bea.get(f"/api/v1/songs/{song['id']}/cover").json()["code"] == "not-found"


def test_a_cover_goes_into_the_export(service, bea, with_cover):
    separated(service, bea, with_cover(png(64, 64)))
    with zipfile.ZipFile(io.BytesIO(bea.get("/api/v1/me/export.zip").content)) as archive:
        assert "song/cover.jpg" in archive.namelist()
