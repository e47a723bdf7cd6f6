"""The share of a hop's length for its computation: declared by each separator, for a fixed latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_sep.protocols import Separator

DEFAULT_COMPUTE_SHARE = 0.5
"""For a separator that declares none."""


def compute_share_of(separator: Separator) -> float:
    """Return ``separator.compute_share``, the share of a hop's length that computing it may take, or the default.

    >>> from stream_sep.separators.passthrough import PassthroughSeparator
    >>> compute_share_of(PassthroughSeparator())
    0.25
    """
    return float(getattr(separator, "compute_share", DEFAULT_COMPUTE_SHARE))
