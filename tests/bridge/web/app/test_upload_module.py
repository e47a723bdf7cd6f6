"""js/app/uploads.js in Chromium, against a server that does what proxies and broken connections do."""

import contextlib

import pytest
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

GATEWAY = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"

_SETUP = """async ({root}) => {
  const {Uploads} = await import(root + "js/app/uploads.js");
  window.uploads = new Uploads();
  window.songs = [];
  uploads.addEventListener("done", ({detail}) => songs.push(detail.id));
  window.add = (name, size) => uploads.add([new File([new Uint8Array(size)], name, {lastModified: 7})], {});
  window.states = () => uploads.list.map(({state}) => state);
}"""


class Server:
    """Receives uploads; tests set what it responds in place of that.

    Attributes:
        requests: (method, path, headers) of all requests.
        replies: responses that are sent first, by method.
        received: bytes by upload.
    """

    def __init__(self):
        self.requests, self.replies, self.received = [], {}, {}

    async def uploads(self, request):
        await request.body()
        self.requests.append((request.method, request.url.path, dict(request.headers)))
        if self.replies.get(request.method):
            return self.replies[request.method].pop(0)
        new = await request.json()
        upload_id = f"u{len(self.received)}"
        self.received[upload_id] = [0, new["size"]]
        return JSONResponse({"id": upload_id, "state": "receiving", "offset": 0, "size": new["size"]}, 201)

    async def upload(self, request):
        body = await request.body()
        self.requests.append((request.method, request.url.path, dict(request.headers)))
        if self.replies.get(request.method):
            return self.replies[request.method].pop(0)
        counts = self.received[request.path_params["upload_id"]]
        counts[0] += len(body)
        headers = {"Upload-Offset": str(counts[0])}
        if request.method != "PATCH":
            return JSONResponse({}, headers=headers)
        song = {"id": request.path_params["upload_id"]} if counts[0] == counts[1] else None
        return JSONResponse({"offset": counts[0], "song": song}, headers=headers)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def page(chromium, serve_modules, server):
    """A page with the module; see `_SETUP` for what is there."""
    address, root = serve_modules(
        Route("/api/v1/uploads", server.uploads, methods=["GET", "POST"]),
        Route("/api/v1/uploads/{upload_id}", server.upload, methods=["HEAD", "PATCH", "DELETE"]),
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
