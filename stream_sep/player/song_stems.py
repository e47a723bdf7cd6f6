"""Refined stems of a song with random access: partially computed ones and cached ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError
from stream_sep.player.partial_stem_file import END_OF_TIME, PIECE, PartialStemFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.protocols import Stems


class SongStems(Protocol):
    """Stems with random access where they are ready.

    Attributes:
        stems: their names.
    """

    stems: tuple[str, ...]

    def ready_until(self, start: int) -> int:
        """Return the frame up to which stems are ready from ``start`` on; a frame beyond any song at its end."""
        ...

    def read(self, start: int, frames: int) -> Stems:
        """Return ``(stems, 2, frames)``; zeros after the end of the song.

        Args:
            start: first frame; may be negative.
            frames: number of frames.

        Raises:
            AudioFileError: ready stems cannot be read any more.
        """
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class CachedStems:
    """Complete stems, one file each, as `StemCache` stores them.

    Args:
        files: one for each stem.
        stems: names of the stems.

    Raises:
        AudioFileError: a file cannot be opened.
    """

    rate = 0
    """Frames per second."""

    def __init__(self, files: Sequence[Path], stems: Sequence[str]) -> None:
        self.stems, self._paths = tuple(stems), tuple(files)
        self._files: list[soundfile.SoundFile] = []
        try:
            for file in files:
                self._files.append(soundfile.SoundFile(file))
                self.rate = int(self._files[-1].samplerate)
        except (OSError, soundfile.SoundFileError) as error:
            self.close()
            raise self._damage(error) from error

    def ready_until(self, _start: int) -> int:
        """Return a frame beyond any song: everything is ready."""
        return END_OF_TIME

    def read(self, start: int, frames: int) -> Stems:
        """Return ``(stems, 2, frames)``; see `SongStems`."""
        out = np.zeros((len(self.stems), 2, frames), np.float32)
        at = min(max(0, -start), frames)
        try:
            for row, file in zip(out, self._files, strict=True):
                file.seek(min(max(start, 0), file.frames))
                there = file.read(frames - at, dtype="float32", always_2d=True)
                row[:, at : at + len(there)] = there.T
        except (OSError, soundfile.SoundFileError) as error:
            raise self._damage(error) from error
        return out

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def describe(self) -> dict[str, Any]:
        """Return the input of `open_stems` in another process, in plain JSON values."""
        return {"kept": [str(path) for path in self._paths], "stems": list(self.stems), "rate": self.rate}

    def _damage(self, error: Exception) -> AudioFileError:
        return AudioFileError(f"the cache in {self._paths[0].parent} is damaged ({error}); stream-sep cache clear")


def open_stems(description: dict[str, Any]) -> SongStems:
    """Open the stems that another process described.

    Raises:
        AudioFileError: they are gone.
    """
    if "kept" in description:
        return CachedStems([Path(path) for path in description["kept"]], description["stems"])
    return PartialStemFile(Path(description["growing"]), description["stems"], description["frames"])


def refined_share(description: dict[str, Any] | None) -> float:
    """Return the share of a song's described stems that is ready, 0 to 1.

    >>> refined_share(None), refined_share({"kept": [], "stems": []})
    (0.0, 1.0)
    """
    if description is None or "kept" in description:
        return 0.0 if description is None else 1.0
    pieces = -(-int(description["frames"]) // PIECE)
    try:
        with Path(description["growing"]).open("rb") as file:
            return file.read(pieces).count(1) / pieces
    except OSError:
        return 0.0
