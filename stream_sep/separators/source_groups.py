"""Groups of sources: which outputs a separator has, and which sources of a data set each of them sums."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

REST = "rest"
"""Stands for every source that no other group names."""

PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "four": {"vocals": ("vocals",), "drums": ("drums",), "bass": ("bass",), "other": (REST,)},
    "vocals-instruments": {"vocals": ("vocals",), "instruments": (REST,)},
    "drums-no_drums": {"drums": ("drums",), "no_drums": (REST,)},
    "band": {"piano": ("piano",), "guitar": ("guitar",), "bass": ("bass",), "drums": ("drums",), "other": (REST,)},
}
"""Groups by name, for ``groups = "NAME"`` in a config."""


@dataclass(frozen=True)
class SourceGroups:
    """The outputs of a separator, which add up to the mix.

    Attributes:
        members: each group's name and sources; the last one has `REST` among them.

    Raises:
        ConfigError: fewer than two groups, a source in two of them, or no rest at the end.

    >>> groups = SourceGroups.preset("drums-no_drums")
    >>> groups.stems, groups.sources_of("no_drums", ("piano", "drums", "bass"))
    (('drums', 'no_drums'), ('piano', 'bass'))
    """

    members: tuple[tuple[str, tuple[str, ...]], ...]

    def __post_init__(self) -> None:
        """Check the values."""
        named = [source for _, sources in self.members for source in sources]
        if len(self.members) < 2 or not all(sources for _, sources in self.members):
            raise ConfigError(f"groups need two names or more, each with a source, not {self.to_dict()}")
        if len({*named}) != len(named):
            twice = next(source for source in named if named.count(source) > 1)
            raise ConfigError(f"the source {twice!r} is in two groups; keep it in one")
        if REST not in self.members[-1][1]:
            raise ConfigError(
                f"the last group, {self.members[-1][0]!r}, must hold {REST!r}: all sources that no other group names"
            )

    @classmethod
    def preset(cls, name: str) -> SourceGroups:
        """Return one of `PRESETS`.

        Raises:
            ConfigError: there is none of that name.
        """
        if name not in PRESETS:
            raise ConfigError(
                f"unknown groups {name!r}; choose one of: {', '.join(PRESETS)}, or write a table [groups]"
            )
        return cls(tuple(PRESETS[name].items()))

    @classmethod
    def from_table(cls, table: str | Mapping[str, object]) -> SourceGroups:
        """Read groups from a config or from a file's metadata: the name of a preset, or a table of lists of sources.

        Raises:
            ConfigError: it is neither.

        >>> SourceGroups.from_table({"drums": ["drums", "percussive"], "no_drums": ["rest"]}).stems
        ('drums', 'no_drums')
        """
        if isinstance(table, str):
            return cls.preset(table)
        members = []
        for name, sources in table.items():
            if not isinstance(sources, (list, tuple)) or not all(isinstance(source, str) for source in sources):
                raise ConfigError(f"[groups] {name} must be a list of sources, such as ['drums'], not {sources!r}")
            members.append((name, tuple(sources)))
        return cls(tuple(members))

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the groups, in order."""
        return tuple(name for name, _ in self.members)

    @property
    def named(self) -> frozenset[str]:
        """Sources that groups name, without the rest."""
        return frozenset(source for _, sources in self.members for source in sources) - {REST}

    def sources_of(self, stem: str, present: Collection[str]) -> tuple[str, ...]:
        """Return those of a song's sources that a group sums.

        Args:
            stem: the group.
            present: all sources of the song, which may be any.
        """
        sources = dict(self.members)[stem]
        return tuple(
            source for source in present if source in sources or (REST in sources and source not in self.named)
        )

    def serves(self, stem: str, known: Collection[str]) -> bool:
        """Return whether a song can serve as an example of a group.

        Args:
            stem: the group.
            known: the sources that the song has, and those that are known to be silent in it. What is not known may
                sound in any other source, such as a piano in ``other``.

        >>> groups = SourceGroups.preset("band")
        >>> groups.serves("drums", {"drums", "bass", "other"}), groups.serves("other", {"drums", "bass", "other"})
        (True, False)
        """
        sources = dict(self.members)[stem]
        needed = (self.named if REST in sources else frozenset(sources)) - {REST}
        return needed <= frozenset(known) and (REST in sources or bool(needed))

    def to_dict(self) -> dict[str, list[str]]:
        """Return the groups as a config or JSON holds them."""
        return {name: list(sources) for name, sources in self.members}

    def to_json(self) -> str:
        """Return the groups as a file's metadata holds them."""
        return json.dumps(self.to_dict())


FOUR = SourceGroups.preset("four")
"""Vocals, drums, bass and all else: the default stems of a separator."""
