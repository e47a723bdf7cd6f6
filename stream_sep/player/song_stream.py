"""A song played on and on: round a loop, or into the next song, without a gap or a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.player.fade_out import Outgoing
from stream_sep.player.streamed_stems import LONG_WARM_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.player.decoded_song import SongSound
    from stream_sep.player.song_stems import SongStems
    from stream_sep.player.stem_reader import Voice
    from stream_sep.protocols import Stems

_ENDLESS = 1 << 62
_LOOPS_TO_WARM_UP = 2


@dataclass
class OpenSong:
    """A song that can be read.

    Attributes:
        number: which of all songs that were ever to be played it is.
        sound: its mix.
        refined: its refined stems, if there are any.
    """

    number: int
    sound: SongSound
    refined: SongStems | None = None

    def close(self) -> None:
        """Let go of its files."""
        self.sound.close()
        if self.refined is not None:
            self.refined.close()


class Line:
    """The stream of a song in its own time.

    Args:
        voice: reads the song.
        fade: frames of the crossfade from the end of a loop to its start.
        rate: frames per second.

    Attributes:
        song: the one that is read.
        next_song: the one to go on with at its end.
    """

    def __init__(self, voice: Voice, fade: int, rate: int) -> None:
        self._voice, self._fade, self._rate = voice, fade, rate
        self._outgoing = Outgoing(np.zeros((1, 2, 0), np.float32))
        self._loop: tuple[int, int] | None = None
        self._since_wrap = 0  # frames since the loop began anew
        self.song: OpenSong | None = None
        self.next_song: OpenSong | None = None

    @property
    def frame(self) -> int:
        """The frame of the song that comes next."""
        return self._voice.frame

    def frame_before(self, frames: float) -> float:
        """Return the frame that was read so many frames ago, where the line has only gone on, or round its loop."""
        at = self.frame - frames
        if self._loop is not None and at < self._loop[0] and frames > self._since_wrap:
            return at + self._loop[1] - self._loop[0]
        return at

    @property
    def is_over(self) -> bool:
        """Whether the last song has ended."""
        return self._voice.left == 0

    @property
    def is_live(self) -> bool:
        """Whether the live separator is heard."""
        return self._voice.is_live

    def go(
        self,
        song: OpenSong,
        frame: int,
        loop: tuple[int, int] | None,
        warm_up: float = LONG_WARM_UP,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin at a frame of a song; go round ``loop``, its first frame and the one after its last.

        The live separator warms up as in `RunningStems.seek`.
        """
        self._open(song)
        self._loop, self._since_wrap = loop, _ENDLESS
        self._outgoing = Outgoing(np.zeros((1, 2, 0), np.float32))
        self._voice.seek(frame, warm_up, give_up)

    def refine(self) -> None:
        """Take up the refined stems that the song has got."""
        assert self.song is not None
        self._voice.refine(self.song.refined)

    def can_read(self, frames: int) -> bool:
        """Tell whether so much of the song is decoded."""
        return self._voice.can_read(frames + self._fade)

    def read(self, frames: int) -> Stems:
        """Return the next frames, ``(1 + stems, 2, frames)``, the mix first."""
        parts = []
        while frames > 0:
            edge = self._until_edge()
            if edge == 0:
                self._pass_edge()
                continue
            step = min(frames, edge)
            parts.append(self._take(step))
            frames -= step
        return np.concatenate(parts, axis=2)

    def _until_edge(self) -> int:
        left = self._voice.left
        if self._is_looping:
            assert self._loop is not None
            return min(self._loop[1] - self.frame, _ENDLESS if left is None else left)
        if left == 0 and self.next_song is not None:
            return 0
        return left or _ENDLESS  # behind its end the last song is silence

    @property
    def _is_looping(self) -> bool:
        return self._loop is not None and self.frame <= self._loop[1]

    def _pass_edge(self) -> None:
        if self._is_looping:
            assert self._loop is not None
            self._outgoing = Outgoing(self._take(self._fade))
            # a short loop comes round too often for the separator to hear much before its start each time
            begin, end = self._loop
            self._voice.seek(begin, min(LONG_WARM_UP, (end - begin) / self._rate / _LOOPS_TO_WARM_UP))
            self._since_wrap = 0
            return
        song, self.next_song, self._loop = self.next_song, None, None
        assert song is not None
        self._open(song)
        self._voice.seek(0)

    def _take(self, frames: int) -> Stems:
        self._since_wrap += frames
        return self._outgoing.under(self._voice.read(frames))

    def _open(self, song: OpenSong) -> None:
        self.song = song
        self._voice.open(song.sound, song.refined)
