"""What a test needs of the machine: programs and packages."""

import importlib
import importlib.util
import os

import pytest

from stream_sep.extras import install_hint


def require(condition, remedy):
    """Skip the test or module and print what to install; fail on a build machine, which has to have everything."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(remedy)
    pytest.skip(remedy, allow_module_level=True)


def require_package(name, extra):
    """Return the package ``name`` of an extra; skip or fail without it, as `require` does.

    At the head of a module, before imports of the package, it skips all of its tests.
    """
    require(importlib.util.find_spec(name), _remedy(name, extra))
    return importlib.import_module(name)


def needs_packages(extra, *names):
    """A mark for single parameters: skips without the packages of an extra, but never on a build machine."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    skips = bool(missing) and os.environ.get("CI") != "true"
    return pytest.mark.skipif(skips, reason=_remedy(", ".join(missing), extra))


def _remedy(name, extra):
    return f"needs {name}: {install_hint(extra)}"
