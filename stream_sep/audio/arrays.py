"""Checks of the audio that callers pass in: compiled code would read past the end of an array of another shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stream_sep.protocols import Block


def float_array(audio: ArrayLike, what: str = "audio") -> NDArray[np.float32]:
    """Return audio as float32.

    Args:
        audio: an array of floats, full scale at 1.
        what: its name in the error.

    Raises:
        ConfigError: not an array of floats.

    >>> float_array([[0.5], [0.5]]).dtype
    dtype('float32')
    """
    array: NDArray[Any] = np.asarray(audio)
    if array.dtype.kind == "f" and array.ndim:
        return array.astype(np.float32, copy=False)
    if array.dtype.kind in "iu" and array.ndim:
        full = np.iinfo(array.dtype).max + 1
        raise ConfigError(f"{what} is an array of {array.dtype}; convert it to floats, as in audio / {full}")
    found = type(audio).__name__ if array.dtype.kind in "OUSM" or not array.ndim else f"an array of {array.dtype}"
    raise ConfigError(
        f"{what} must be an array of floats, (channels, frames), not {found}; read files with soundfile"
    )


def stereo_block(audio: ArrayLike, what: str = "audio") -> Block:
    """Return audio as float32 ``(2, frames)``.

    Args:
        audio: of that shape.
        what: its name in the error.

    Raises:
        ConfigError: not of that shape, or not floats.
    """
    array = float_array(audio, what)
    if array.ndim != 2 or array.shape[0] != 2:
        remedy = "transpose it" if array.ndim == 2 and array.shape[1] == 2 else "for mono, repeat the channel"
        raise ConfigError(f"{what} of shape {array.shape} is not (2, frames); {remedy}")
    return array
