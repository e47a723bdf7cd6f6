"""Separators that work at a few sample rates, for streams of any rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.separators.decimated import DecimatedSeparator
from stream_sep.separators.resampled import ResampledSeparator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_sep.protocols import Separator

MAX_RATE = 192000


def at_rate(
    build: Callable[[int], Separator], sample_rate: int, rates: Sequence[int], *, name: str = "the separator"
) -> Separator:
    """Build a separator for a stream of any sample rate.

    Args:
        build: given one of the rates, returns the separator.
        sample_rate: frames per second of the stream. A multiple of one of the rates costs a millisecond more, another
            rate is resampled and costs 40.
        rates: frames per second that the separator works at, the usual one first.
        name: its name in the error.

    Raises:
        ConfigError: the rate is not from 1 to `MAX_RATE`.
    """
    if not 1 <= sample_rate <= MAX_RATE:
        raise ConfigError(f"{name}: a sample rate of {sample_rate} Hz is not from 1 to {MAX_RATE}; try 44100")
    inner_rate = next((rate for rate in rates if sample_rate % rate == 0), rates[0])
    separator = build(inner_rate)
    if sample_rate == inner_rate:
        return separator
    if sample_rate % inner_rate == 0:
        return DecimatedSeparator(separator, sample_rate // inner_rate)
    return ResampledSeparator(separator, sample_rate)
