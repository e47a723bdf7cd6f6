"""Partially refined stems in the cache, resumed the next time the song plays."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from stream_sep.files.disk_space import check_room
from stream_sep.files.stem_cache import PARTIAL, PARTIAL_SONG, is_complete
from stream_sep.player.partial_stem_file import PartialStemFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from filelock import BaseFileLock

    from stream_sep.files.stem_cache import StemCache


class PartialStems:
    """The partial stems of one song, in the cache or, where that is too small or locked, in a temporary file.

    Args:
        cache: where they are resumed from.
        key: of the song and the model.
        song: the song's file.
        stems: their names.
        frames: of the song.
        scratch: the temporary file to use otherwise.

    Raises:
        AudioFileError: neither file can be made, or there is no room for it.
    """

    def __init__(  # noqa: PLR0917 - a song's stems are all of these
        self, cache: StemCache, key: str, song: Path, stems: Sequence[str], frames: int, scratch: Path
    ) -> None:
        self._lock: BaseFileLock | None = None
        place = scratch
        size = PartialStemFile.size(stems, frames)
        if 2 * size <= cache.limit:
            with suppress(OSError):
                place = self._claim(cache.folder / key, song) or scratch
        there = place.is_file() and place.stat().st_size == size
        try:
            if not there:
                check_room(place.parent, size, "or play with --no-refine")
            self.stems = PartialStemFile(place, stems, frames, create=not there)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock; the stems themselves are closed by their user."""
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


def drop_partial(growing: Path) -> None:
    """Delete partial stems once the complete stems are cached."""
    if growing.name == PARTIAL and is_complete(growing.parent):
        for name in (PARTIAL, PARTIAL_SONG, f"{PARTIAL}.lock"):
            with suppress(OSError):  # another program may have it open, and deletes it when it ends
                (growing.parent / name).unlink(missing_ok=True)
