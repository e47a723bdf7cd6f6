"""The songs to play in order: each is opened and decoded shortly before its turn."""

from __future__ import annotations

import itertools
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stream_sep.errors import AudioFileError, StreamSepError
from stream_sep.files.song import open_song
from stream_sep.lowlevel.scratch_folder import ScratchFolder
from stream_sep.player.commands import SongSources
from stream_sep.player.decoded_song import DecodedSong, DecodedSongWriter, check_decoded_room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stream_sep.files.song import Song

_log = logging.getLogger(__name__)
_STOP_SECONDS = 1.0


@dataclass
class LoadedSong:
    """A song that is playing or comes next.

    Attributes:
        number: index among all songs loaded so far; a repeated song gets a new one.
        track: its index in the playlist.
        song: its file's properties.
        sound: its decoded sound.
        decoder: the thread that decodes it.
        refined: its refined stems, as input of `open_stems`, or None.
    """

    number: int
    track: int
    song: Song
    sound: DecodedSong
    decoder: threading.Thread
    refined: dict[str, Any] | None = field(default=None)

    @property
    def link(self) -> SongSources:
        """The data for the render worker."""
        return SongSources(self.number, str(self.sound.path), self.refined)

    def seconds(self, rate: int) -> float:
        """Return its length in seconds; until it is decoded, as its file's header states."""
        frames = self.sound.frames
        return self.song.seconds if frames is None else frames / rate


class Playlist:
    """Songs in order, and their decoded sound in a folder that is deleted on close.

    Args:
        paths: the files.
        rate: frames per second to decode to.
        report: called with messages about songs that cannot be played, or not to their end.
        find: attaches cached refined stems to a song.

    Raises:
        AudioFileError: none of them can be.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        rate: int,
        report: Callable[[str], None] = _log.warning,
        find: Callable[[LoadedSong], None] = lambda _: None,
    ) -> None:
        self.paths, self._rate, self._report, self._find = tuple(paths), rate, report, find
        self._folder = ScratchFolder()
        self._numbers = 0
        self._closed = threading.Event()
        self._bad: set[int] = set()
        self.following: LoadedSong | None = None
        try:
            self.current = self._first()
        except BaseException:
            self.close()
            raise

    def _first(self) -> LoadedSong:
        song = self.load(0)
        if song is None:
            raise AudioFileError(f"none of the {len(self.paths)} songs can be played; the reasons are above")
        return song

    @property
    def folder(self) -> Path:
        """A temporary folder that lives as long as the playlist."""
        return self._folder.path

    def load(self, track: int, step: int = 1) -> LoadedSong | None:
        """Open the song at an index and start decoding it; skip songs that cannot be read.

        Args:
            track: the index.
            step: -1 to skip backwards.
        """
        while 0 <= track < len(self.paths):
            if track not in self._bad:
                try:
                    return self._open(track)
                except StreamSepError as error:
                    self._bad.add(track)
                    if len(self.paths) == 1:
                        raise
                    self._report(f"{error}; continuing with the next song")
            track += step
        return None

    def prepare_next(self) -> bool:
        """Load the next song once the current one is decoded; return whether one was loaded."""
        if self.following is not None or self.current.decoder.is_alive():
            return False
        self.following = self.load(self.current.track + 1)
        return self.following is not None

    def advance(self) -> None:
        """Make the next song the current one."""
        assert self.following is not None
        self._drop(self.current)
        self.current, self.following = self.following, None

    def jump(self, song: LoadedSong) -> None:
        """Make ``song`` the current one."""
        for old in (self.current, self.following):
            if old is not None and old is not song:
                self._drop(old)
        self.current, self.following = song, None

    def close(self) -> None:
        """Stop decoding and delete the decoded audio."""
        self._closed.set()
        for song in (getattr(self, "current", None), getattr(self, "following", None)):
            if song is not None:
                song.decoder.join(_STOP_SECONDS)  # a disk may not respond
                song.sound.close()
        self._folder.close()

    def _drop(self, song: LoadedSong) -> None:
        """Delete the decoded file; processes that have it open can still read it."""
        song.sound.close()
        if not song.decoder.is_alive():
            for file in song.sound.path.parent.glob(f"{song.sound.path.name}*"):
                with suppress(OSError):  # Windows keeps a file that another process still reads, until the end
                    file.unlink(missing_ok=True)

    def _open(self, track: int) -> LoadedSong:
        song = open_song(self.paths[track])
        if song.note:
            self._report(song.note)
        if not song.is_estimate:
            check_decoded_room(self.folder, round(song.seconds * self._rate))
        writer = DecodedSongWriter(self.folder / f"{self._numbers}.sound")
        decoder = threading.Thread(target=self._decode, args=(song, writer), name="decoder", daemon=True)
        loaded = LoadedSong(self._numbers, track, song, DecodedSong(writer.path), decoder)
        self._numbers += 1
        decoder.start()
        self._find(loaded)
        return loaded

    def _decode(self, song: Song, writer: DecodedSongWriter) -> None:
        blocks = itertools.takewhile(lambda _: not self._closed.is_set(), song.blocks(self._rate, self._report))
        try:
            if not writer.write(blocks) and not self._closed.is_set():
                self._report(f"{song.path} contains no audio")
        except StreamSepError as error:
            self._report(str(error))
