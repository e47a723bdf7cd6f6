"""The songs that a command line names: files, folders, patterns."""

from __future__ import annotations

import glob
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("aac", "aif", "aifc", "aiff", "alac", "ape", "au", "caf", "flac", "m4a", "m4b", "mka", "mp2", "mp3", "mp4"),
        *("oga", "ogg", "opus", "rf64", "w64", "wav", "webm", "wma", "wv"),
    )
)


@dataclass(frozen=True)
class Track:
    """A song to separate.

    Attributes:
        path: the file.
        folder: the folder it lies in, from the one that was named; its stems go to one of that name.
        name: what it is called; the file's name without its ending, but for songs that share it.
    """

    path: Path
    folder: Path
    name: str


def find_tracks(arguments: Sequence[Path], out: Path) -> list[Track]:
    """Return the songs that files, folders (with all below them) and patterns name, each once.

    What lies in ``out`` is left out, or stems would be separated again. A file that is named is taken whatever it is
    called, and need not be there: it then fails by itself.

    Raises:
        AudioFileError: a folder or pattern without a song.
    """
    found: dict[Path, Track] = {}
    for argument in arguments:
        for path, folder in _expand(argument, out):
            found.setdefault(path.resolve(), Track(path, folder, _stem(path)))
    tracks = list(found.values())
    shared = Counter((track.folder, track.name) for track in tracks)
    return [
        Track(track.path, track.folder, track.path.name) if shared[track.folder, track.name] > 1 else track
        for track in tracks
    ]


def _expand(argument: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    if argument.is_dir():
        paths = sorted(path for path in argument.rglob("*") if _is_song(path, out) and _is_shown(path, argument))
        if not paths:
            raise AudioFileError(f"there is no song in the folder {argument}")
        yield from ((path, path.parent.relative_to(argument)) for path in paths)
    elif not argument.exists() and glob.has_magic(str(argument)):
        named = glob.glob(str(argument), recursive=True)  # noqa: PTH207 - the pattern may be absolute
        paths = sorted(path for path in map(Path, named) if _is_song(path, out))
        if not paths:
            raise AudioFileError(f"no song matches {argument}")
        yield from ((path, Path()) for path in paths)
    else:
        yield argument, Path()


def _is_song(path: Path, out: Path) -> bool:
    hidden = path.name.startswith(".") or ".part" in path.suffixes
    return (
        path.suffix.lower() in _SUFFIXES
        and not hidden
        and path.is_file()
        and not path.resolve().is_relative_to(out.resolve())
    )


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _stem(path: Path) -> str:
    name = path.name.removesuffix(path.suffix)
    return path.name if not name.strip(".") else name  # a name of dots only would lead out of the folder
