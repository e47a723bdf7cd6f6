"""Checks of the separators that callers name and pass, for clear error messages."""

from __future__ import annotations

import os
from numbers import Real

from stream_sep.errors import ConfigError, SeparatorError

_MEMBERS = ("stems", "sample_rate", "channels", "hop", "latency", "process", "reset")


def model_name(model: object) -> str:
    """Return the name of a model, which may be the path of a file.

    Raises:
        SeparatorError: it is neither.

    >>> from pathlib import PurePosixPath
    >>> model_name("live"), model_name(PurePosixPath("out/best.safetensors"))
    ('live', 'out/best.safetensors')
    """
    if isinstance(model, os.PathLike):
        model = os.fspath(model)
    if not isinstance(model, str):
        raise SeparatorError(f"a model is named by a text or a path, not {model!r:.80}; try 'live'")
    return model


def whole_rate(sample_rate: object) -> int:
    """Return a sample rate as an int.

    Raises:
        ConfigError: it is not a whole number.

    >>> whole_rate(44100.0)
    44100
    """
    if not isinstance(sample_rate, Real) or float(sample_rate) % 1:
        raise ConfigError(f"a sample rate must be a whole number of Hz, not {sample_rate!r:.40}; try 44100")
    return int(float(sample_rate))


def check_members(separator: object) -> None:
    """Check that an object has all that `stream_sep.Separator` requires.

    Raises:
        SeparatorError: something is missing.
    """
    missing = [name for name in _MEMBERS if not hasattr(separator, name)]
    if missing:
        raise SeparatorError(
            f"{type(separator).__name__} is not a separator: it has no {', '.join(missing)}; "
            "see examples/own_separator.py"
        )
