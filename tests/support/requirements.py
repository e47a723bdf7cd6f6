"""What a test needs of the machine: programs and packages."""

import importlib
import importlib.util
import os

import pytest

from stream_sep.extras import install_hint


def require(condition, remedy):
    """Skip the test and print what to install; fail instead on a build machine, which has to have everything."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(remedy)
    pytest.skip(remedy)


def require_package(name, extra):
    """Return the package ``name`` of an extra; skip or fail without it, as `require` does."""
    require(importlib.util.find_spec(name), f"needs {name}: {install_hint(extra)}")
    return importlib.import_module(name)
