"""Objects by import path, ``package.module:attribute``: separators and kinds of networks, bundled or your own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


def import_object(path: str) -> Any:  # noqa: ANN401 - whatever the path names
    """Import an object.

    A module that is not installed is looked for in the current folder, which `sys.path` then holds as its last entry,
    so that worker processes find the module too.

    Args:
        path: ``package.module:attribute``.

    Raises:
        ImportError: no such module.
        AttributeError: the module has no such attribute.
        ValueError: the path names no module.

    >>> import_object("stream_sep.protocols:STEMS")
    ('vocals', 'drums', 'bass', 'other')
    """
    module, _, attribute = path.partition(":")
    return getattr(_import_module(module), attribute)


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        top, folder = name.partition(".")[0], Path.cwd()
        if error.name != top or not ((folder / f"{top}.py").is_file() or (folder / top).is_dir()):
            raise
    sys.path.append(str(folder))
    return importlib.import_module(name)
