"""What a test needs of the machine: programs and packages."""

import os

import pytest


def require(condition, remedy):
    """Skip the test, saying what to install; on a build machine, which has to have it all, fail instead."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(remedy)
    pytest.skip(remedy)
