"""Writing the stems of one song to the cache, with checksums."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError, FileInUseError
from stream_sep.files.disk_space import check_room
from stream_sep.files.formats import FLOATS
from stream_sep.files.output_file import OutputFile
from stream_sep.lowlevel.atomic_file import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stream_sep.protocols import Stems

SONG_NAME = "song.txt"
"""The file with the song's path, which is written last."""

CHECKSUMS = "checksums.json"


class NewEntry:
    """Writes the stems of a song to the cache; failures only cause a warning."""

    def __init__(
        self, folder: Path, stems: Sequence[str], rate: int, frames: int, warn: Callable[[str], None]
    ) -> None:
        self._folder, self._warn = folder, warn
        self._files = [OutputFile(folder / f"{stem}.wav", rate, frames, FLOATS, stream=False) for stem in stems]
        self._size = 8 * frames * len(stems)
        self._does_keep = True
        self._guard(self._open)

    def write(self, sounds: Stems) -> None:
        """Append ``(stems, 2, frames)``."""
        self._guard(lambda: self._write(sounds))

    def commit(self, song: Path) -> None:
        """Rename the files to their final names, and write their checksums and the song's path."""
        self._guard(lambda: self._commit(song))

    def abort(self) -> None:
        """Delete the files; does nothing after `commit`."""
        for file in reversed(self._files):
            file.abort()

    def _open(self) -> None:
        check_room(self._folder, 2 * self._size)  # half of it is for the output files
        for file in self._files:
            file.open()

    def _write(self, sounds: Stems) -> None:
        for file, sound in zip(self._files, sounds, strict=True):
            file.write(sound)

    def _commit(self, song: Path) -> None:
        for file in self._files:
            file.finish(1.0)
        sums = {file.target.name: _checksum(file.part) for file in self._files}
        for file in self._files:
            file.commit()
        known = _checksums(self._folder)
        if known is None:
            known = {file.name: _checksum(file) for file in self._folder.glob("*.wav")}
        atomic_write(self._folder / CHECKSUMS, json.dumps(known | sums).encode())
        atomic_write(self._folder / SONG_NAME, str(song).encode("utf-8", "surrogateescape"))

    def _guard(self, step: Callable[[], object]) -> None:
        if not self._does_keep:
            return
        try:
            step()
        except FileInUseError:  # the other process caches the same stems
            self._give_up()
        except (AudioFileError, OSError) as error:
            self._give_up()
            why = str(error).partition(";")[0]
            self._warn(f"the stems are not cached ({why}); --cache-gb 0 turns the cache off")

    def _give_up(self) -> None:
        self._does_keep = False
        self.abort()


def are_undamaged(files: Sequence[Path]) -> bool:
    """Return whether files match their checksums; those of older versions, which wrote none, get them now."""
    known = _checksums(files[0].parent)
    try:
        found = {file.name: _checksum(file) for file in files}
    except OSError:
        return False
    if known is not None:
        return found.items() <= known.items()
    with suppress(OSError):
        atomic_write(files[0].parent / CHECKSUMS, json.dumps(found).encode())
    return True


def _checksums(folder: Path) -> dict[str, str] | None:
    """Return the checksums of a folder: None if it has no file of them, nothing if that is damaged."""
    try:
        return dict(json.loads((folder / CHECKSUMS).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _checksum(file: Path) -> str:
    """Return a CRC-32, which is as fast as the disk; it only has to detect damage, not forgery."""
    total = 0
    with file.open("rb") as data:
        while block := data.read(1 << 20):
            total = zlib.crc32(block, total)
    return f"{total:08x}"
