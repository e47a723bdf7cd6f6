"""Stems read back from the cache, with their checksums compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.errors import DamagedCacheError
from stream_sep.files.sound_file import open_sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from stream_sep.protocols import Block, Stems


def read_cached(files: Sequence[Path], blocks: Iterable[Block]) -> Iterator[tuple[Block, Stems]]:
    """Yield the mix and its stems from files that `StemCache.find` returned, as they were cached.

    Args:
        files: one per stem.
        blocks: the mix, ``(2, frames)`` each.

    Raises:
        DamagedCacheError: a file is gone or damaged.
    """
    opened: list[soundfile.SoundFile] = []
    try:
        opened = [open_sound(file) for file in files]
    except (OSError, soundfile.SoundFileError) as error:
        _close(opened)
        raise _damage(files, error) from error
    try:
        for mix in blocks:
            yield mix, _read_stems(opened, mix.shape[1], files)
    finally:
        _close(opened)


def _read_stems(opened: Sequence[soundfile.SoundFile], frames: int, files: Sequence[Path]) -> Stems:
    try:
        return np.stack([file.read(frames, dtype="float32", always_2d=True).T for file in opened])
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        raise _damage(files, error) from error


def _close(opened: Iterable[soundfile.SoundFile]) -> None:
    for file in opened:
        file.close()


def _damage(files: Sequence[Path], error: Exception) -> DamagedCacheError:
    return DamagedCacheError(f"the cache in {files[0].parent} is damaged ({error}); stream-sep cache clear")
