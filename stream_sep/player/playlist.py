"""The songs to play, one after the other: each is opened and decoded when its turn comes near."""

from __future__ import annotations

import itertools
import logging
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.errors import AudioFileError, StreamSepError
from stream_sep.files.song import open_song
from stream_sep.player.commands import SongLink
from stream_sep.player.decoded_song import SongSound, SongWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_sep.files.song import Song

_log = logging.getLogger(__name__)


@dataclass
class LoadedSong:
    """A song that is played, or about to be.

    Attributes:
        number: which of all that were loaded it is; a song that comes again has another.
        track: its index in the playlist.
        song: what is known of its file.
        sound: its decoded sound.
        decoder: the thread that decodes it.
        refined: where its refined stems are, as `open_stems` takes it, if there are any.
    """

    number: int
    track: int
    song: Song
    sound: SongSound
    decoder: threading.Thread
    refined: dict[str, Any] | None = field(default=None)

    @property
    def link(self) -> SongLink:
        """What whoever renders it needs to know."""
        return SongLink(self.number, str(self.sound.path), self.refined)

    def seconds(self, rate: int) -> float:
        """Return its length: what its file says, until it is decoded."""
        frames = self.sound.frames
        return self.song.seconds if frames is None else frames / rate


class Playlist:
    """Songs in order, and their decoded sound in a folder that goes when it is closed.

    Args:
        paths: the files.
        rate: frames per second to decode to.
        report: is told of songs that cannot be played.
        find: lets a song have refined stems, where there are any.

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
        self._folder = tempfile.TemporaryDirectory(prefix="stream-sep-", ignore_cleanup_errors=True)
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
        """Where files can lie that are needed while it is open."""
        return Path(self._folder.name)

    def load(self, track: int, step: int = 1) -> LoadedSong | None:
        """Open the song at an index and begin to decode it; of songs that cannot be read take the next.

        Args:
            track: the index.
            step: -1 to take the one before instead.
        """
        while 0 <= track < len(self.paths):
            if track not in self._bad:
                try:
                    return self._open(track)
                except StreamSepError as error:
                    self._bad.add(track)
                    if len(self.paths) == 1:
                        raise
                    self._report(f"{error}; going on with the next song")
            track += step
        return None

    def prepare_next(self) -> bool:
        """Load what follows the current song, once that is decoded; return whether there is something new."""
        if self.following is not None or self.current.decoder.is_alive():
            return False
        self.following = self.load(self.current.track + 1)
        return self.following is not None

    def advance(self) -> None:
        """Make the song that follows the current one."""
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
        """End decoding and delete what was decoded."""
        self._closed.set()
        for song in (getattr(self, "current", None), getattr(self, "following", None)):
            if song is not None:
                song.decoder.join()
                song.sound.close()
        self._folder.cleanup()

    def _drop(self, song: LoadedSong) -> None:
        """Give the disk back; whoever still reads the file goes on doing so until it lets go."""
        song.sound.close()
        if not song.decoder.is_alive():
            for file in song.sound.path.parent.glob(f"{song.sound.path.name}*"):
                with suppress(OSError):  # Windows keeps a file that another process still reads, until the end
                    file.unlink(missing_ok=True)

    def _open(self, track: int) -> LoadedSong:
        song = open_song(self.paths[track])
        if song.note:
            self._report(song.note)
        writer = SongWriter(self.folder / f"{self._numbers}.sound")
        decoder = threading.Thread(target=self._decode, args=(song, writer), name="decoder", daemon=True)
        loaded = LoadedSong(self._numbers, track, song, SongSound(writer.path), decoder)
        self._numbers += 1
        decoder.start()
        self._find(loaded)
        return loaded

    def _decode(self, song: Song, writer: SongWriter) -> None:
        blocks = itertools.takewhile(lambda _: not self._closed.is_set(), song.blocks(self._rate))
        try:
            if not writer.write(blocks) and not self._closed.is_set():
                self._report(f"{song.path} holds no sound")
        except StreamSepError as error:
            self._report(str(error))
