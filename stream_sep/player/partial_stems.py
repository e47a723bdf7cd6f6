"""Stems of songs that were refined in part, kept in the cache until another play goes on with them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from stream_sep.files.stem_cache import PARTIAL, PARTIAL_SONG, is_complete
from stream_sep.player.song_stems import GrowingStems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from filelock import BaseFileLock

    from stream_sep.files.stem_cache import StemCache


class BegunStems:
    """Growing stems of one song, in the cache or, where that is too small or in use by another program, beside it.

    Args:
        cache: where they are found again.
        key: of the song and the model.
        song: the song's file.
        stems: their names.
        frames: of the song.
        scratch: the file to use otherwise, which does not outlive the program.

    Raises:
        AudioFileError: neither file can be made.
    """

    def __init__(  # noqa: PLR0917 - a song's stems are all of these
        self, cache: StemCache, key: str, song: Path, stems: Sequence[str], frames: int, scratch: Path
    ) -> None:
        self._lock: BaseFileLock | None = None
        place = scratch
        size = GrowingStems.size(stems, frames)
        if 2 * size <= cache.limit:
            with suppress(OSError):
                place = self._claim(cache.folder / key, song) or scratch
        there = place.is_file() and place.stat().st_size == size
        try:
            self.stems = GrowingStems(place, stems, frames, create=not there)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another program have them; whoever has the stems closes those."""
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def _claim(self, folder: Path, song: Path) -> Path | None:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - comes with torch, without which nothing is refined

        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{PARTIAL}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return None
        self._lock = lock
        (folder / PARTIAL_SONG).write_text(str(song), "utf-8", "surrogateescape")
        return folder / PARTIAL


def drop_begun(growing: Path) -> None:
    """Delete growing stems once the same stems are in the cache as a whole."""
    if growing.name == PARTIAL and is_complete(growing.parent):
        for name in (PARTIAL, PARTIAL_SONG, f"{PARTIAL}.lock"):
            with suppress(OSError):  # another program may hold it, and deletes it at its own end
                (growing.parent / name).unlink(missing_ok=True)
