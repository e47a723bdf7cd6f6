"""Renders an endless stream: songs as the transport commands them, or silence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.player.commands import PlaybackCommand
from stream_sep.player.decoded_song import DecodedSong
from stream_sep.player.fade_out import FadeOut
from stream_sep.player.resampled_stems import ResampledStems
from stream_sep.player.song_stems import open_stems
from stream_sep.player.song_stream import OpenSong, SongStream
from stream_sep.player.stem_reader import StemReader
from stream_sep.player.streamed_stems import SHORT_WARM_UP, StreamedStems
from stream_sep.player.time_stretch import Stretch

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.player.commands import SongSources
    from stream_sep.protocols import Separator, Stems

NO_SONG = -1
"""Song number without a song."""

_STRETCHED = 4096  # frames that a time stretcher may read ahead at once


class Timeline:
    """Renders audio in playback order.

    Args:
        separator: the live separator.
        fade: frames of the crossfade at a jump.
        report: called with a message when a file cannot be read.

    Attributes:
        command: the command in effect.
    """

    def __init__(self, separator: Separator, fade: int, report: Callable[[str], None]) -> None:
        self._stream = SongStream(StemReader(StreamedStems(separator), report), fade, separator.sample_rate)
        self._rows, self._rate, self._report = 1 + len(separator.stems), separator.sample_rate, report
        self._stretch: Stretch | None = None
        self._songs: dict[int, OpenSong] = {}
        self._fade_out = FadeOut(self._silence(0))
        self.command = PlaybackCommand(playing=False)

    @property
    def position(self) -> tuple[int, float, float]:
        """The song's number, its next frame, and its frames per output frame."""
        song = self._stream.song
        if song is None or self.command.song is None:
            return NO_SONG, 0.0, 0.0
        return song.number, self._frame, self.command.speed if self._is_moving else 0.0

    @property
    def _frame(self) -> float:
        return self._stream.frame_ago(0.0 if self._stretch is None else self._stretch.frames_buffered)

    @property
    def _is_moving(self) -> bool:
        return self.command.playing and self._stream.song is not None and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether the last song has ended."""
        song = self._stream.song
        if song is None or self._stream.next_song is not None or not self._stream.is_over:
            return False
        return self._frame >= (song.sound.frames or 0)

    @property
    def is_live(self) -> bool:
        """Whether the live separator contributes to the output."""
        return self._is_moving and self._stream.is_live

    def apply(
        self,
        command: PlaybackCommand,
        song: int,
        frame: float,
        *,
        warm_up_seconds: float = SHORT_WARM_UP,
        should_cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        """Apply a command at a position in a song.

        The live separator is warmed up with the audio before it, as in `StreamedStems.seek`, which takes a moment.

        Args:
            command: the command.
            song: number of the song to start in.
            frame: the frame of that song.
            warm_up_seconds: audio before ``frame`` that warms up the live separator.
            should_cancel: polled during the warm-up.
        """
        links = [link for link in (command.song, command.next_song) if link is not None]
        current = next((link for link in links if link.number == song), command.song)
        self.command = command
        if current is not None:
            self._start_at(self._open(current), round(frame), warm_up_seconds, should_cancel)
        self.update_sources(command)

    def _start_at(
        self, song: OpenSong, frame: int, warm_up_seconds: float, should_cancel: Callable[[], bool]
    ) -> None:
        """Start at a frame, or earlier by the time stretcher's padding."""
        command, self._stretch = self.command, None
        if command.speed != 1 or command.pitch != 0:
            self._stretch = Stretch(
                self._stream.read, self._rows - 1, self._rate, speed=command.speed, pitch=command.pitch
            )
        loop = command.loop if command.loop is not None and frame <= command.loop[1] else None
        pad = 0 if self._stretch is None else self._stretch.pad
        self._stream.start_at(song, frame - pad, loop, warm_up_seconds, should_cancel)
        if self._stretch is not None:
            self._stretch.prime()

    def update_sources(self, command: PlaybackCommand) -> None:
        """Use the refined stems and the next song that have become available."""
        self.command = command
        links = [link for link in (command.song, command.next_song) if link is not None]
        for link in links:
            self._refine(link)
        current = self._stream.song
        follows = command.next_song is not None and (current is None or current.number != command.next_song.number)
        self._stream.next_song = self._open(command.next_song) if follows and command.next_song else None
        self._close_unused({link.number for link in links})

    def fade_out_from(self, sound: Stems) -> None:
        """Fade out ``sound``, ``(1 + stems, 2, frames)``, under the audio rendered next."""
        self._fade_out = FadeOut(sound)

    def can_render(self, frames: int) -> bool:
        """Return whether all audio needed for the next frames is decoded."""
        return not self._is_moving or self._stream.can_read(round(frames * self.command.speed) + _STRETCHED)

    def render(self, frames: int) -> Stems:
        """Return the next frames, ``(1 + stems, 2, frames)``, the mix first."""
        if not self._is_moving:
            return self.render_silence(frames)
        return self._fade_out.mix_into((self._stream if self._stretch is None else self._stretch).read(frames))

    def render_silence(self, frames: int) -> Stems:
        """Return silence, ``(1 + stems, 2, frames)``, with a pending fade-out; the song does not advance."""
        return self._fade_out.mix_into(self._silence(frames))

    def close(self) -> None:
        """Close all songs."""
        for song in self._songs.values():
            song.close()
        self._songs.clear()

    def _silence(self, frames: int) -> Stems:
        return np.zeros((self._rows, 2, frames), np.float32)

    def _open(self, link: SongSources) -> OpenSong:
        if link.number not in self._songs:
            self._songs[link.number] = OpenSong(link.number, DecodedSong(Path(link.sound)))
            self._refine(link)
        return self._songs[link.number]

    def _refine(self, link: SongSources) -> None:
        song = self._songs.get(link.number)
        if song is None or song.refined is not None or link.refined is None:
            return
        try:
            made, rate = link.refined.get("rate", self._rate), self._rate
            stems = open_stems(link.refined)
            song.refined = stems if made == rate else ResampledStems(stems, made, rate)
        except AudioFileError as error:
            self._report(f"{error}; continuing with the live separator")
            return
        if song is self._stream.song:
            self._stream.refine()

    def _close_unused(self, used: set[int]) -> None:
        current = self._stream.song
        for number in set(self._songs) - used - ({current.number} if current is not None else set()):
            self._songs.pop(number).close()
