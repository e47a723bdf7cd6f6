"""The packages that the live page needs, checked before anything imports them."""

import importlib.util

from stream_sep.errors import BridgeError
from stream_sep.extras import install_hint

_NEEDED = ("starlette", "uvicorn", "websockets")


def check_live_page() -> None:
    """Check that the live page can run.

    Raises:
        BridgeError: a package is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise BridgeError(f"the live page needs {', '.join(missing)}; {install_hint('web')}")
