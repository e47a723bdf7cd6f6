"""All of a library in one zip, from the page and from the command line."""

import io
import json
import zipfile

import pytest
from typer.testing import CliRunner
from web_service import song_bytes, upload, work

from bridge.web.service.downloads import MISSING, zipped
from bridge.web.service.export import LISTING
from stream_sep.cli import serve


def exported(browser):
    response = browser.get("/api/v1/me/export.zip")
    assert response.headers["Content-Type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(response.content))


@pytest.fixture
def library(service, bea, sign_up):
    """Two songs of one name, one that is not separated, one in the trash, and one of somebody else."""
    songs = [upload(bea, song_bytes(1.0, seed=number), "A: b/c.flac") for number in range(2)]
    upload(sign_up("cleo"), song_bytes(1.0), "Theirs.flac")
    gone = upload(bea, song_bytes(1.0, seed=3), "Gone.flac")
    work(service)
    bea.delete(f"/api/v1/songs/{gone['id']}")
    bea.patch(f"/api/v1/songs/{songs[0]['id']}", json={"title": "A: b/c", "artist": "Me"})
    bea.patch(f"/api/v1/songs/{songs[1]['id']}", json={"title": "a: b/C", "artist": "Me"})
    upload(bea, song_bytes(1.0, seed=4), "Waiting.flac")
    return songs


def test_an_export_has_every_song_with_its_stems_and_a_listing(bea, library):
    with exported(bea) as archive:
        assert archive.testzip() is None
        files = ["source.flac", *(f"{stem}.flac" for stem in ("vocals", "drums", "bass", "other"))]
        folders = ["Me - A_ b_c", "Me - a_ b_C (2)"]
        expected = {f"{folder}/{file}" for folder in folders for file in files}
        assert set(archive.namelist()) == {LISTING, *expected}
        listing = json.loads(archive.read(LISTING))
        assert [(song["folder"], song["title"]) for song in listing] == [
            (folders[0], "A: b/c"),
            (folders[1], "a: b/C"),
            ("Waiting", "Waiting"),
        ]
        url = f"/api/v1/songs/{library[0]['id']}/stems/drums.flac"
        assert archive.read(f"{folders[0]}/drums.flac") == bea.get(url).content


def test_a_file_that_goes_meanwhile_is_listed_as_missing(tmp_path):
    (tmp_path / "there").write_bytes(b"x")
    entries = [("a", b"1"), ("b", tmp_path / "gone"), ("c", tmp_path / "there")]
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(entries)))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a": b"1", "c": b"x", MISSING: b"b\n"}


def test_an_export_of_nothing_is_a_listing(bea):
    with exported(bea) as archive:
        assert (archive.namelist(), json.loads(archive.read(LISTING))) == ([LISTING], [])


def test_command_that_fails_leaves_no_file(service, bea, library, tmp_path, monkeypatch):
    def broken(_entries):
        yield b"half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bridge.web.service.downloads.zipped", broken)
    options = ["--data", str(service.data.root), "--database", service.config.database]
    before = set(tmp_path.iterdir())
    assert (
        CliRunner().invoke(serve.app, ["user", "export", "bea", str(tmp_path / "bea.zip"), *options]).exit_code != 0
    )
    assert set(tmp_path.iterdir()) == before


def test_the_command_writes_the_same_file(service, bea, library, tmp_path):
    target = tmp_path / "bea.zip"
    options = ["--data", str(service.data.root), "--database", service.config.database]
    command = ["user", "export", "bea", str(target), *options]
    made = CliRunner().invoke(serve.app, command)
    assert made.exit_code == 0, made.output
    with exported(bea) as archive, zipfile.ZipFile(target) as written:
        assert written.namelist() == archive.namelist()
    assert CliRunner().invoke(serve.app, command).exit_code != 0  # it is there
    assert CliRunner().invoke(serve.app, ["user", "export", "nobody", f"{target}.2", *options]).exit_code != 0
