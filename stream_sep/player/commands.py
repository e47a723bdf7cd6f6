"""Commands from the transport to the render worker: plain values for another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class SongSources:
    """The files of a song's audio and stems.

    Attributes:
        number: index among all songs loaded so far.
        sound: the file that a `DecodedSongWriter` wrote.
        refined: input of `open_stems`, or None.
    """

    number: int
    sound: str
    refined: dict[str, Any] | None = None


@dataclass(frozen=True)
class PlaybackCommand:
    """A playback state for the render worker.

    Attributes:
        song: the song, or None for silence.
        next_song: the song that follows at its end.
        playing: whether it plays or is paused.
        frame: the frame of the song to jump to; None continues.
        loop: first frame of a loop, and the frame after its last.
        speed: seconds of the song per second of output.
        pitch: semitones of transposition.
    """

    song: SongSources | None = None
    next_song: SongSources | None = None
    playing: bool = True
    frame: int | None = None
    loop: tuple[int, int] | None = None
    speed: float = 1.0
    pitch: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PlaybackCommand:
        """Return the command that `to_dict` described.

        >>> command = PlaybackCommand(SongSources(1, "x"), loop=(0, 9))
        >>> PlaybackCommand.from_dict(command.to_dict()) == command
        True
        """
        links = {name: SongSources(**values[name]) if values[name] else None for name in ("song", "next_song")}
        loop = values["loop"]
        return replace(cls(**{**values, **links}), loop=None if loop is None else (loop[0], loop[1]))
