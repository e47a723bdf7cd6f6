"""A service for the tests of its pages, one a module, as the browser is."""

import pytest
from served import serving, sign_up


@pytest.fixture(scope="module")
def served(chromium, tmp_path_factory):
    """A service with the demo song that anybody may sign up to; needs a browser to be of use."""
    del chromium
    with serving(tmp_path_factory.mktemp("service"), "--demo-song", "--sign-up", "open") as running:
        yield running


@pytest.fixture(scope="module")
def admin(chromium, served):
    """The cookies of a logged-in admin."""
    context = chromium.new_context()
    page = context.new_page()
    sign_up(page, served, "ada", served.setup)
    state = context.storage_state()
    context.close()
    return state
