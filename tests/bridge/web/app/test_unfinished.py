"""Uploads that an earlier visit left unfinished, on the library page."""

import io

import numpy as np
import pytest
import soundfile
from waiting import until


@pytest.fixture(scope="module")
def file_bytes():
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(1).uniform(-0.3, 0.3, (44100, 2)), 44100, format="FLAC")
    return file.getvalue()


@pytest.fixture
def library(open_page, served, admin):
    """A function that opens the library page."""

    def opened():
        return open_page(f"{served.address}/library", width=1280, height=800, storage_state=admin)

    return opened


@pytest.fixture
def requests(chromium, served, admin):
    """The admin's requests: method, path below the API, and more."""
    context = chromium.new_context(storage_state=admin)

    def request(method, path, **options):
        headers = {"Origin": served.address, **options.pop("headers", {})}
        response = context.request.fetch(f"{served.address}/api/v1{path}", method=method, headers=headers, **options)
        assert response.ok, response.text()
        return response

    yield request
    for upload in request("GET", "/uploads").json():
        request("DELETE", f"/uploads/{upload['id']}")
    context.close()


def begin(requests, name, size, data=b""):
    begun = requests("POST", "/uploads", data={"name": name, "size": size}).json()
    if data:
        headers = {"Content-Type": "application/octet-stream", "Upload-Offset": "0"}
        requests("PATCH", f"/uploads/{begun['id']}", data=data, headers=headers)
    return begun["id"]


def test_an_unfinished_upload_is_resumed_with_the_same_file(library, requests, file_bytes, tmp_path, axe):
    upload_id = begin(requests, "Left behind.flac", len(file_bytes), file_bytes[:50_000])
    right, wrong = tmp_path / "Left behind.flac", tmp_path / "another.flac"
    right.write_bytes(file_bytes)
    wrong.write_bytes(file_bytes[:-1])
    page = library()
    page.wait_for_selector("text=Unfinished uploads")
    assert page.locator("ss-unfinished .small.quiet").last.text_content().startswith("50 kB of ")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    chooser = "input[aria-label='Resume Left behind.flac: choose the file']"
    page.set_input_files(chooser, wrong)
    page.wait_for_selector("role=alert >> text=Choose Left behind.flac with")
    page.set_input_files(chooser, right)
    page.wait_for_selector(f".song-row a[href='/songs/{upload_id}']")
    page.wait_for_selector("text=Unfinished uploads", state="detached")


def test_an_unfinished_upload_that_is_discarded_frees_its_place(library, requests, file_bytes):
    for number in range(3):
        begin(requests, f"{number}.flac", 1000)
    page = library()
    page.wait_for_selector("role=button[name='Discard 1.flac']")
    page.set_input_files("#files", {"name": "new.flac", "mimeType": "audio/flac", "buffer": file_bytes})
    page.wait_for_selector("text=3 uploads are not finished yet. It is sent automatically.")
    page.click("role=button[name='Discard 1.flac']")
    page.wait_for_selector(".song-row b:has-text('new')")
    assert page.locator("role=button[name='Discard 0.flac']").count() == 1
    assert page.locator("role=button[name='Discard 1.flac']").count() == 0


def test_a_tab_that_is_closed_leaves_an_upload_to_resume(library, requests):
    pieces = bytes(10 * 2**20)  # two: the browser sends the request that is held as the tab closes
    page = library()
    page.wait_for_selector(".drop")
    page.route("**/api/v1/uploads/*", lambda route: route.abort())
    page.set_input_files("#files", {"name": "closed.flac", "mimeType": "audio/flac", "buffer": pieces})
    until(lambda: requests("GET", "/uploads").json())
    page.close()
    again = library()
    again.wait_for_selector("role=button[name='Discard closed.flac']")
