"""Effect chains of a worker: added at the start, restored after a restart, or not available."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.effects.chained_separator import ChainedSeparator, check_stem
from stream_sep.errors import ConfigError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.chained_separator import Chains
    from stream_sep.effects.spec import ChainSpec
    from stream_sep.protocols import Separator

NO_EFFECTS = (
    "this engine was started without effect chains: start it with chain_reserve=0 or more "
    "(--effect-latency on the command line)"
)
"""Error message of an engine without effects."""


def with_chains(
    separator: Separator, chains: Chains | None, reserve: int | None, report: Callable[[str], None]
) -> Separator:
    """Return ``separator`` with effect chains, or unchanged if neither chains nor a reserve are given.

    Args:
        separator: the separator.
        chains: the initial effects.
        reserve: latency reserved for effects, in frames.
        report: called with a message when a chain fails.
    """
    if chains is None and reserve is None:
        return separator
    return ChainedSeparator(separator, chains, reserve=reserve, report=report)


def restore_chains(
    separator: Separator, chains: ChainSpec, reserve: int, report: Callable[[str], None]
) -> ChainedSeparator:
    """Return ``separator`` with the chains of before a restart; one that cannot be loaded any more is reported.

    Args:
        separator: the separator.
        chains: the effects that ran before.
        reserve: latency reserved for effects, in frames.
        report: called with a message when a chain fails.
    """
    restored = ChainedSeparator(separator, reserve=reserve, report=report)
    for stem, effects in chains.effects.items():
        try:
            restored.set_chains({**restored.chains.effects, stem: effects})
        except StreamSepError as error:
            report(f"{error}; the stem plays without it")
    return restored


def require_effects(separator: Separator) -> ChainedSeparator:
    """Return ``separator`` if it has effect chains.

    Raises:
        ConfigError: it has none.
    """
    if isinstance(separator, ChainedSeparator):
        return separator
    raise ConfigError(NO_EFFECTS)


def with_bypass(bypassed: frozenset[str], stem: str, stems: tuple[str, ...], *, on: bool) -> frozenset[str]:
    """Return ``bypassed`` with ``stem`` added or removed.

    Args:
        bypassed: the bypassed stems.
        stem: the stem to change.
        stems: the known stems.
        on: whether it is bypassed.

    Raises:
        ConfigError: ``stem`` is none of ``stems``.
    """
    check_stem(stem, stems)
    return bypassed | {stem} if on else bypassed - {stem}
