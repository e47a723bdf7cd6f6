"""What the transport wants of whoever renders songs: plain values that travel to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class SongLink:
    """Where a song's sound and stems are.

    Attributes:
        number: which of all songs that were ever to be played it is.
        sound: the file of a `SongWriter`.
        refined: what `open_stems` takes, or None.
    """

    number: int
    sound: str
    refined: dict[str, Any] | None = None


@dataclass(frozen=True)
class Orders:
    """What is to be heard.

    Attributes:
        song: the song, or None for silence.
        next_song: the song to go on with at its end.
        playing: whether it plays or rests.
        frame: the frame of the song to jump to; None goes on where it is.
        loop: first frame of a loop and the one after its last.
        speed: how many seconds of the song are heard in one.
        pitch: semitones it is heard higher.
    """

    song: SongLink | None = None
    next_song: SongLink | None = None
    playing: bool = True
    frame: int | None = None
    loop: tuple[int, int] | None = None
    speed: float = 1.0
    pitch: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def parse(cls, plain: dict[str, Any]) -> Orders:
        """Return the orders that `plain` gave.

        >>> orders = Orders(SongLink(1, "x"), loop=(0, 9))
        >>> Orders.parse(orders.plain()) == orders
        True
        """
        links = {name: SongLink(**plain[name]) if plain[name] else None for name in ("song", "next_song")}
        loop = plain["loop"]
        return replace(cls(**{**plain, **links}), loop=None if loop is None else (loop[0], loop[1]))
