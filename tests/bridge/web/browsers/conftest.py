"""The other browsers: Firefox, and WebKitGTK in place of Safari; each runs once for a module."""

import os
import shutil

import browsers
import pytest

_PROGRAMS = {
    "firefox": (("firefox-esr", "firefox"), ("pulseaudio",), "apt install firefox-esr pulseaudio"),
    "webkit": (
        ("WebKitWebDriver",),
        ("Xvfb", browsers.MINIBROWSER),
        "apt install webkit2gtk-driver gstreamer1.0-plugins-good xvfb",
    ),
}


@pytest.fixture(scope="module", params=list(_PROGRAMS))
def browser(request):
    """A function that runs the browser of this test; where it is not installed, the test is skipped."""
    names, others, install = _PROGRAMS[request.param]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None or not all(map(shutil.which, others)):
        reason = f"needs {request.param}: {install}"
        if request.param == "firefox" and os.environ.get("STREAM_SEP_NEEDS_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return lambda **size: getattr(browsers, request.param)(found, **size)
