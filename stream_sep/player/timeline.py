"""What is to be heard, from now on and without end: songs as the transport orders them, or silence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.player.commands import Orders
from stream_sep.player.decoded_song import SongSound
from stream_sep.player.fade_out import Outgoing
from stream_sep.player.resampled_stems import ResampledStems
from stream_sep.player.song_stems import open_stems
from stream_sep.player.song_stream import Line, OpenSong
from stream_sep.player.stem_reader import Voice
from stream_sep.player.streamed_stems import SHORT_WARM_UP, RunningStems
from stream_sep.player.time_stretch import Stretch

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.player.commands import SongLink
    from stream_sep.protocols import Separator, Stems

NO_SONG = -1
"""Number of the song while there is none."""

_STRETCHED = 4096  # frames that a stretcher may read ahead at once


class Programme:
    """Renders sound in the order in which it will be heard.

    Args:
        separator: the live separator.
        fade: frames of the crossfade at a jump.
        report: is told what cannot be read.

    Attributes:
        orders: those that are followed.
    """

    def __init__(self, separator: Separator, fade: int, report: Callable[[str], None]) -> None:
        self._line = Line(Voice(RunningStems(separator), report), fade, separator.sample_rate)
        self._rows, self._rate, self._report = 1 + len(separator.stems), separator.sample_rate, report
        self._stretch: Stretch | None = None
        self._songs: dict[int, OpenSong] = {}
        self._outgoing = Outgoing(self._silence(0))
        self.orders = Orders(playing=False)

    @property
    def place(self) -> tuple[int, float, float]:
        """The number of the song, its frame that comes next, and how many of its frames pass in one of sound."""
        song = self._line.song
        if song is None or self.orders.song is None:
            return NO_SONG, 0.0, 0.0
        return song.number, self._frame, self.orders.speed if self._moves else 0.0

    @property
    def _frame(self) -> float:
        return self._line.frame_before(0.0 if self._stretch is None else self._stretch.lag)

    @property
    def _moves(self) -> bool:
        return self.orders.playing and self._line.song is not None and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether the last song has ended."""
        song = self._line.song
        if song is None or self._line.next_song is not None or not self._line.is_over:
            return False
        return self._frame >= (song.sound.frames or 0)

    @property
    def is_live(self) -> bool:
        """Whether the live separator is heard."""
        return self._moves and self._line.is_live

    def follow(
        self,
        orders: Orders,
        song: int,
        frame: float,
        *,
        warm_up: float = SHORT_WARM_UP,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take orders, for a place in a song.

        The live separator hears what comes before it, as in `RunningStems.seek`, which takes a moment.
        """
        links = [link for link in (orders.song, orders.next_song) if link is not None]
        current = next((link for link in links if link.number == song), orders.song)
        self.orders = orders
        if current is not None:
            self._go(self._open(current), round(frame), warm_up, give_up)
        self.supply(orders)

    def _go(self, song: OpenSong, frame: int, warm_up: float, give_up: Callable[[], bool]) -> None:
        """Begin at a frame, and some earlier where sound is stretched, as the stretcher wants to hear what was."""
        orders, self._stretch = self.orders, None
        if orders.speed != 1 or orders.pitch != 0:
            self._stretch = Stretch(
                self._line.read, self._rows - 1, self._rate, speed=orders.speed, pitch=orders.pitch
            )
        loop = orders.loop if orders.loop is not None and frame <= orders.loop[1] else None
        pad = 0 if self._stretch is None else self._stretch.pad
        self._line.go(song, frame - pad, loop, warm_up, give_up)
        if self._stretch is not None:
            self._stretch.prime()

    def supply(self, orders: Orders) -> None:
        """Take up what there is by now of refined stems, and the song that comes next."""
        self.orders = orders
        links = [link for link in (orders.song, orders.next_song) if link is not None]
        for link in links:
            self._refine(link)
        current = self._line.song
        follows = orders.next_song is not None and (current is None or current.number != orders.next_song.number)
        self._line.next_song = self._open(orders.next_song) if follows and orders.next_song else None
        self._forget({link.number for link in links})

    def fade_from(self, sound: Stems) -> None:
        """Let ``sound``, ``(1 + stems, 2, frames)``, fade out under what comes."""
        self._outgoing = Outgoing(sound)

    def can_render(self, frames: int) -> bool:
        """Tell whether all that is needed is decoded."""
        return not self._moves or self._line.can_read(round(frames * self.orders.speed) + _STRETCHED)

    def render(self, frames: int) -> Stems:
        """Return the next frames, ``(1 + stems, 2, frames)``, the mix first."""
        if not self._moves:
            return self.rest(frames)
        return self._outgoing.under((self._line if self._stretch is None else self._stretch).read(frames))

    def rest(self, frames: int) -> Stems:
        """Return silence, ``(1 + stems, 2, frames)``, under which what was there fades out; the song waits."""
        return self._outgoing.under(self._silence(frames))

    def close(self) -> None:
        """Let go of all songs."""
        for song in self._songs.values():
            song.close()
        self._songs.clear()

    def _silence(self, frames: int) -> Stems:
        return np.zeros((self._rows, 2, frames), np.float32)

    def _open(self, link: SongLink) -> OpenSong:
        if link.number not in self._songs:
            self._songs[link.number] = OpenSong(link.number, SongSound(Path(link.sound)))
            self._refine(link)
        return self._songs[link.number]

    def _refine(self, link: SongLink) -> None:
        song = self._songs.get(link.number)
        if song is None or song.refined is not None or link.refined is None:
            return
        try:
            made, rate = link.refined.get("rate", self._rate), self._rate
            stems = open_stems(link.refined)
            song.refined = stems if made == rate else ResampledStems(stems, made, rate)
        except AudioFileError as error:
            self._report(f"{error}; going on with the live separator")
            return
        if song is self._line.song:
            self._line.refine()

    def _forget(self, wanted: set[int]) -> None:
        current = self._line.song
        for number in set(self._songs) - wanted - ({current.number} if current is not None else set()):
            self._songs.pop(number).close()
