"""A song as a continuous stream: around a loop, or into the next song, without a gap or a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.player.fade_out import FadeOut
from stream_sep.player.streamed_stems import LONG_WARM_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.player.decoded_song import DecodedSong
    from stream_sep.player.song_stems import SongStems
    from stream_sep.player.stem_reader import StemReader
    from stream_sep.protocols import Stems

_ENDLESS = 1 << 62
_LOOPS_TO_WARM_UP = 2


@dataclass
class OpenSong:
    """A song with open files.

    Attributes:
        number: index among all songs loaded so far.
        sound: its mix.
        refined: its refined stems, if any.
    """

    number: int
    sound: DecodedSong
    refined: SongStems | None = None

    def close(self) -> None:
        """Close its files."""
        self.sound.close()
        if self.refined is not None:
            self.refined.close()


class SongStream:
    """Streams a song at its original speed.

    Args:
        reader: reads the song.
        fade: frames of the crossfade from the end of a loop to its start.
        rate: frames per second.

    Attributes:
        song: the current song.
        next_song: the song that follows at its end.
    """

    def __init__(self, reader: StemReader, fade: int, rate: int) -> None:
        self._reader, self._fade, self._rate = reader, fade, rate
        self._fade_out = FadeOut(np.zeros((1, 2, 0), np.float32))
        self._loop: tuple[int, int] | None = None
        self._frames_since_wrap = 0  # frames since the loop last wrapped
        self.song: OpenSong | None = None
        self.next_song: OpenSong | None = None

    @property
    def frame(self) -> int:
        """The next frame of the song."""
        return self._reader.frame

    def frame_ago(self, frames: float) -> float:
        """Return the frame read so many frames ago, if playback has been continuous or looping since."""
        at = self.frame - frames
        if self._loop is not None and at < self._loop[0] and frames > self._frames_since_wrap:
            return at + self._loop[1] - self._loop[0]
        return at

    @property
    def is_over(self) -> bool:
        """Whether the last song has ended."""
        return self._reader.left == 0

    @property
    def is_live(self) -> bool:
        """Whether the live separator contributes to the output."""
        return self._reader.is_live

    def start_at(
        self,
        song: OpenSong,
        frame: int,
        loop: tuple[int, int] | None,
        warm_up_seconds: float = LONG_WARM_UP,
        should_cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start at a frame of a song; repeat ``loop``, its first frame and the frame after its last.

        The live separator warms up as in `StreamedStems.seek`.

        Args:
            song: the song.
            frame: its first frame.
            loop: first frame of the loop and the frame after its last, or None.
            warm_up_seconds: audio before ``frame`` that warms up the live separator.
            should_cancel: polled during the warm-up.
        """
        self._open(song)
        self._loop, self._frames_since_wrap = loop, _ENDLESS
        self._fade_out = FadeOut(np.zeros((1, 2, 0), np.float32))
        self._reader.seek(frame, warm_up_seconds, should_cancel)

    def refine(self) -> None:
        """Use the refined stems that have become available."""
        assert self.song is not None
        self._reader.refine(self.song.refined)

    def can_read(self, frames: int) -> bool:
        """Return whether the next frames are decoded."""
        return self._reader.can_read(frames + self._fade)

    def read(self, frames: int) -> Stems:
        """Return the next frames, ``(1 + stems, 2, frames)``, the mix first."""
        parts = []
        while frames > 0:
            boundary = self._frames_to_boundary()
            if boundary == 0:
                self._cross_boundary()
                continue
            step = min(frames, boundary)
            parts.append(self._read_faded(step))
            frames -= step
        return np.concatenate(parts, axis=2)

    def _frames_to_boundary(self) -> int:
        left = self._reader.left
        if self._is_looping:
            assert self._loop is not None
            return min(self._loop[1] - self.frame, _ENDLESS if left is None else left)
        if left == 0 and self.next_song is not None:
            return 0
        return left or _ENDLESS  # after its end the last song is silence

    @property
    def _is_looping(self) -> bool:
        return self._loop is not None and self.frame <= self._loop[1]

    def _cross_boundary(self) -> None:
        if self._is_looping:
            assert self._loop is not None
            self._fade_out = FadeOut(self._read_faded(self._fade))
            # a short loop wraps too often for a long warm-up each time
            begin, end = self._loop
            self._reader.seek(begin, min(LONG_WARM_UP, (end - begin) / self._rate / _LOOPS_TO_WARM_UP))
            self._frames_since_wrap = 0
            return
        song, self.next_song, self._loop = self.next_song, None, None
        assert song is not None
        self._open(song)
        self._reader.seek(0)

    def _read_faded(self, frames: int) -> Stems:
        self._frames_since_wrap += frames
        return self._fade_out.mix_into(self._reader.read(frames))

    def _open(self, song: OpenSong) -> None:
        self.song = song
        self._reader.open(song.sound, song.refined)
