"""Pages whose session ends, by a log-out or elsewhere."""

import pytest
from served import PASSWORD, sign_up

_APP = "const {app} = await import(document.querySelector('script[type=module]').src.replace('main.js', 'state.js'));"


@pytest.fixture(scope="module")
def name(chromium, served, admin):
    """The name of an account; the admin's session is for other tests."""
    del admin
    context = chromium.new_context()
    sign_up(context.new_page(), served, "dee")
    context.close()
    return "dee"


@pytest.fixture
def page(open_page, served, name):
    """The library page of somebody who has just logged in."""
    opened = open_page(f"{served.address}/login", width=1280, height=800)
    opened.fill("#name", name)
    opened.fill("#password", PASSWORD)
    opened.click("form button.primary")
    opened.wait_for_selector(".drop")
    return opened


def run(page, code):
    """Run code in which ``app`` is the page's state."""
    return page.evaluate(f"async () => {{ {_APP} {code} }}")


def test_a_session_that_ended_while_the_page_was_away_is_noticed(page, served):
    assert page.request.delete(f"{served.address}/api/v1/session", headers={"Origin": served.address}).ok
    run(page, "app.events.socket.close()")
    page.wait_for_selector("text=You were logged out.")
    page.wait_for_selector("form >> text=Log in")


def test_uploads_end_with_the_session_of_their_owner(page):
    page.route("**/api/v1/uploads/*", lambda _: None)  # no response, for ever
    files = [{"name": f"{number}.flac", "mimeType": "audio/flac", "buffer": b"x" * 1000} for number in range(4)]
    with page.expect_request("**/api/v1/uploads/*"):
        page.set_input_files("#files", files)
    with page.expect_event("requestfailed"):
        page.click("role=button[name='Log out']")
    page.wait_for_selector("nav >> text=Log in")
    begun = []
    page.on("request", lambda request: begun.append(request.url) if "/uploads" in request.url else None)
    run(page, "app.uploads.pump(), app.uploads.retryNow()")
    assert run(page, "return [app.uploads.list, app.uploads.unfinished]") == [[], []]
    page.wait_for_timeout(200)
    assert begun == []
