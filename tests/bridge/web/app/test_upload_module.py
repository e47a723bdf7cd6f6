"""js/app/uploads.js in Chromium, against a server that does what proxies and broken connections do."""

import asyncio
import contextlib
import json
import threading

import pytest
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route
from waiting import until

GATEWAY = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"

_SETUP = """async ({root}) => {
  const {Uploads} = await import(root + "js/app/uploads.js");
  window.uploads = new Uploads();
  window.songs = [];
  uploads.addEventListener("done", ({detail}) => songs.push(detail.id));
  window.file = (name, size, lastModified = 7) => new File([new Uint8Array(size)], name, {lastModified});
  window.add = (name, size, lastModified, settings = {}) => uploads.add([file(name, size, lastModified)], settings);
  window.states = () => uploads.list.map(({state}) => state);
}"""


class Server:
    """Receives uploads; tests set what goes wrong.

    Attributes:
        requests: (method, path, headers) of all requests.
        replies: responses that are sent in place of the right ones, by method; the requests are not done.
        lost: methods of requests that are done, but whose next response is lost.
        uploads: by id, their key, size and received bytes.
        gate: what POST waits for before its response.
        patch_gate: what PATCH waits for before its response.
    """

    def __init__(self):
        self.requests, self.replies, self.lost, self.uploads = [], {}, set(), {}
        self.gate, self.patch_gate = threading.Event(), threading.Event()
        self.gate.set()
        self.patch_gate.set()

    def methods(self):
        return [method for method, _, _ in self.requests]

    async def respond(self, request):
        body = await request.body()
        self.requests.append((request.method, request.url.path, dict(request.headers)))
        if self.replies.get(request.method):
            return self.replies[request.method].pop(0)
        one, status = self.act(request, body)
        gate = {"POST": self.gate, "PATCH": self.patch_gate}.get(request.method)
        if gate is not None:
            await asyncio.to_thread(gate.wait, 60)
        if request.method in self.lost:
            self.lost.remove(request.method)
            return gateway(502)
        headers = {"Upload-Offset": str(one["offset"])} if "offset" in one else {}
        return JSONResponse(one, status, headers)

    def act(self, request, body):
        if request.url.path == "/api/v1/uploads":
            if request.method == "GET":
                return [self.view(upload_id) for upload_id in self.uploads], 200
            return self.begin(request.headers["idempotency-key"], json.loads(body))
        upload_id = request.path_params["upload_id"]
        if request.method == "DELETE":
            del self.uploads[upload_id]
            return {}, 200
        self.uploads[upload_id]["received"] += len(body)
        return self.view(upload_id), 200

    def begin(self, key, new):
        found = [upload_id for upload_id, one in self.uploads.items() if one["key"] == key]
        upload_id = found[0] if found else f"u{len(self.uploads)}"
        self.uploads.setdefault(upload_id, {"key": key, "received": 0, **new})
        return self.view(upload_id), 201

    def view(self, upload_id):
        one = self.uploads[upload_id]
        song = {"id": upload_id} if one["received"] == one["size"] else None
        state = "received" if song else "receiving"
        seen = {"id": upload_id, "name": one["name"], "size": one["size"], "offset": one["received"]}
        return {**seen, "state": state, "song": song}


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def page(chromium, serve_modules, server):
    """A page with the module; see `_SETUP` for what is there."""
    address, root = serve_modules(
        Route("/api/v1/uploads", server.respond, methods=["GET", "POST"]),
        Route("/api/v1/uploads/{upload_id}", server.respond, methods=["HEAD", "PATCH", "DELETE"]),
    )
    with contextlib.closing(chromium.new_page()) as opened:
        opened.goto(address)
        opened.evaluate(_SETUP, {"root": root})
        yield opened


def songs(page, count=1):
    page.wait_for_function(f"songs.length === {count}")
    return page.evaluate("songs")


def gateway(status):
    return HTMLResponse(GATEWAY.format(status), status)


@pytest.mark.parametrize("status", [502, 504])
def test_an_upload_goes_on_after_a_proxy_sent_its_own_page(page, server, status):
    server.replies["PATCH"] = [gateway(status)]
    page.evaluate("add('a.flac', 1000)")
    assert songs(page) == ["u0"]


@pytest.mark.parametrize("reply", [gateway(413), HTMLResponse("welcome to this café", 200)], ids=["413", "200"])
def test_an_upload_that_cannot_go_on_fails_and_frees_its_place(page, server, reply):
    server.replies["PATCH"] = [reply, reply]
    page.evaluate("['a.flac', 'b.flac', 'c.flac'].forEach((name) => add(name, 1000))")
    assert songs(page) == ["u2"]
    assert page.evaluate("states()") == ["failed", "failed"]
    assert str(reply.status_code) in page.evaluate("uploads.list[0].error")


def test_a_reply_that_is_no_json_is_an_error_with_its_status(page, server):
    server.replies["POST"] = [gateway(413)]
    page.evaluate("add('a.flac', 1000)")
    page.wait_for_function("states()[0] === 'failed'")
    assert page.evaluate("uploads.list[0].error") == "The server returned 413. Try again."


def test_a_begin_whose_response_was_lost_is_repeated_and_makes_one_upload(page, server):
    server.lost = {"POST"}
    page.evaluate("add('a.flac', 1000)")
    assert songs(page) == ["u0"]
    assert list(server.uploads) == ["u0"]
    assert server.methods().count("POST") == 2


def test_the_key_is_that_of_the_file_and_its_settings(page, server):
    page.evaluate("add('Größe 🎵.flac', 1000)")
    songs(page)
    page.evaluate("add('b.flac', 1000), add('a.flac', 1001), add('a.flac', 1000, 8)")
    page.evaluate("add('a.flac', 1000, 7, {shifts: 2}), add('a.flac', 1000)")
    songs(page, 6)
    keys = [one["key"] for one in server.uploads.values()]
    assert len(set(keys)) == 6
    assert all(key.isascii() and len(key) <= 100 for key in keys)


def test_a_file_that_is_a_song_becomes_another_one(page, server):
    page.evaluate("add('a.flac', 1000)")
    songs(page)
    page.evaluate("add('a.flac', 1000)")
    assert songs(page, 2) == ["u0", "u1"]


def test_a_file_that_is_added_twice_is_sent_once(page, server):
    server.gate.clear()
    server.patch_gate.clear()
    page.evaluate("add('a.flac', 1000), add('a.flac', 1000)")
    until(lambda: server.methods() == ["POST", "POST"])
    server.gate.set()
    page.wait_for_function("uploads.list.length === 1")  # both have their responses, and nothing is sent whole yet
    server.patch_gate.set()
    assert songs(page) == ["u0"]
    page.wait_for_function("uploads.list.length === 0")
    assert server.methods().count("PATCH") == 1


def test_a_cancel_before_the_id_is_there_deletes_the_upload(page, server):
    server.gate.clear()
    page.evaluate("add('a.flac', 1000)")
    until(lambda: server.uploads)
    page.evaluate("uploads.cancel(uploads.list[0])")
    server.gate.set()
    until(lambda: not server.uploads)
    assert "PATCH" not in server.methods()


def test_pause_and_resume_while_it_begins_leave_one_sender(page, server):
    server.gate.clear()
    page.evaluate("add('a.flac', 1000)")
    until(lambda: server.uploads)
    page.evaluate("uploads.pause(uploads.list[0]), uploads.resume(uploads.list[0])")
    server.gate.set()
    assert songs(page) == ["u0"]
    assert server.methods() == ["POST", "HEAD", "PATCH"]


def test_an_upload_waits_for_its_turn_for_the_retry_after_of_the_server(page, server):
    page.clock.install(time=0)
    page.clock.pause_at(60_000)
    problem = {"code": "too-many-uploads", "detail": "3 uploads are not finished yet.", "hint": "Let one end."}
    server.replies["POST"] = [JSONResponse(problem, 429, {"Retry-After": "10"})]
    page.evaluate("add('a.flac', 1000)")
    page.wait_for_function("states()[0] === 'broken'")
    assert page.evaluate("uploads.list[0].error") == "3 uploads are not finished yet. It is sent automatically."
    page.clock.run_for(9_000)
    page.evaluate("uploads.pump()")
    assert server.methods().count("POST") == 1
    page.clock.run_for(1_000)
    assert songs(page) == ["u0"]


def test_requests_are_not_repeated_at_once_after_an_error(page, server):
    page.clock.install(time=0)
    page.clock.pause_at(60_000)
    server.replies["PATCH"] = [gateway(502)]
    page.evaluate("add('a.flac', 1000)")
    page.wait_for_function("states()[0] === 'broken'")
    page.evaluate("uploads.pump()")
    assert server.methods() == ["POST", "PATCH"]
    page.clock.run_for(2_000)
    assert songs(page) == ["u0"]


def test_an_upload_of_an_earlier_visit_is_resumed_where_it_broke_off(page, server):
    server.uploads = {"old": {"key": None, "name": "a.flac", "size": 1000, "received": 600}}
    page.evaluate("uploads.refresh()")
    page.evaluate("uploads.adopt(uploads.unfinished[0], file('a.flac', 1000))")
    assert songs(page) == ["old"]
    assert page.evaluate("uploads.unfinished") == []
    method, _, headers = server.requests[-1]
    assert (method, headers["upload-offset"], headers["content-length"]) == ("PATCH", "600", "400")


def test_what_this_page_sends_is_not_listed_as_unfinished(page, server):
    page.evaluate("add('a.flac', 1000), uploads.pause(uploads.list[0])")
    page.wait_for_function("uploads.list[0].id")
    page.evaluate("uploads.refresh()")
    assert page.evaluate("[uploads.listed.length, uploads.unfinished.length]") == [1, 0]
    page.evaluate("uploads.cancel(uploads.list[0])")
    until(lambda: not server.uploads)


def test_a_place_that_is_discarded_is_taken_at_once(page, server):
    page.clock.install(time=0)
    page.clock.pause_at(60_000)
    server.uploads = {"old": {"key": None, "name": "b.flac", "size": 1000, "received": 600}}
    server.replies["POST"] = [JSONResponse({"code": "too-many-uploads", "detail": "Full.", "hint": ""}, 429)]
    page.evaluate("add('a.flac', 1000)")
    page.wait_for_function("states()[0] === 'broken' && uploads.unfinished.length === 1")
    page.evaluate("uploads.discard('old')")
    songs(page)
