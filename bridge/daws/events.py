"""Events that a DAW's messages stand for: tracks, their names, and values of controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class TrackNamed:
    """A track has a name; an empty one is unknown."""

    track: int
    name: str


@dataclass(frozen=True)
class TrackRemoved:
    """A track does not exist."""

    track: int


@dataclass(frozen=True)
class TrackList:
    """The names of all tracks, from the first."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class ControlChanged:
    """The value of a track's control, in the unit of the mixer's control of that name."""

    track: int
    control: str
    value: float | bool


@dataclass(frozen=True)
class DawStarted:
    """The DAW has just started, without our subscriptions."""


Event: TypeAlias = TrackNamed | TrackRemoved | TrackList | ControlChanged | DawStarted
