"""The songs of a command line: files, folders and patterns."""

from __future__ import annotations

import glob
import unicodedata
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.files.disk_space import check_room
from stream_sep.lowlevel.scratch_folder import ScratchFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_sep.files.job import SeparationJob

_MAX_DEPTH = 32
"""Folders that are put into a name at most: more than paths have."""

_SPOOL_BYTES = 1 << 20

_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("aac", "aif", "aifc", "aiff", "alac", "ape", "au", "caf", "flac", "m4a", "m4b", "m4v"),
        *("mka", "mkv", "mov", "mp2", "mp3", "mp4", "oga", "ogg", "opus", "rf64", "w64", "wav", "webm", "wma", "wv"),
    )
)


@dataclass(frozen=True)
class Track:
    """A song to separate.

    Attributes:
        path: the file.
        folder: its folder, relative to the named one; also that of its stems.
        name: its name; that of the file without its ending, except for songs that share it.
    """

    path: Path
    folder: Path
    name: str


def find_tracks(arguments: Sequence[Path], out: Path) -> list[Track]:
    """Return the songs of files, folders (with all subfolders) and patterns, each once.

    What lies in ``out`` is left out, or stems would be separated again. A file that is named is taken whatever it is
    called, and need not be there: it then fails by itself. Songs that share a name get more of their paths into it.

    Args:
        arguments: files, folders and patterns.
        out: the output folder, which is not searched.

    Raises:
        AudioFileError: a folder or pattern without a song.
    """
    found: dict[Path, Track] = {}
    for argument in arguments:
        for path, folder in _expand(argument, out):
            found.setdefault(path.resolve(), Track(path, Path(readable(str(folder))), readable(_stem(path))))
    return _disambiguated(list(found.values()))


def readable(name: str) -> str:
    r"""Return a name that any program can write: bytes that are no UTF-8 are taken for those of Windows' old code.

    >>> import os
    >>> readable(os.fsdecode(b"Beyonc\xe9"))
    'Beyoncé'
    """
    data = name.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _disambiguated(tracks: Sequence[Track]) -> list[Track]:
    """Return tracks with unique output paths."""
    named = [replace(track, name=track.path.name) if is_shared else track for track, is_shared in _shared(tracks)]
    depth = 1
    while any(is_shared for _, is_shared in _shared(named)) and depth < _MAX_DEPTH:
        named = [
            _with_parents(track, original, depth) if is_shared else track
            for (track, is_shared), original in zip(_shared(named), tracks, strict=True)
        ]
        depth += 1
    return _numbered(named, tracks)


def _numbered(named: Sequence[Track], originals: Sequence[Track]) -> list[Track]:
    """Append a number to songs whose names differ only in case."""
    seen: Counter[str] = Counter()
    result = []
    for (track, is_shared), original in zip(_shared(named), originals, strict=True):
        each = replace(original, name=original.path.name) if is_shared else track
        seen[_place(each)] += 1
        number = seen[_place(each)]
        result.append(replace(each, name=f"{each.name} ({number})") if number > 1 else each)
    return result


def _shared(tracks: Sequence[Track]) -> list[tuple[Track, bool]]:
    """Return each track, and whether another has its place, also where letters are the same in either case."""
    places = [_place(track) for track in tracks]
    counts = Counter(places)
    return [(track, counts[place] > 1) for track, place in zip(tracks, places, strict=True)]


def _place(track: Track) -> str:
    return unicodedata.normalize("NFC", str(track.folder / track.name)).casefold()


def _with_parents(track: Track, original: Track, depth: int) -> Track:
    """Return a track with ``depth`` parent folders added to its folder, as far as there are any."""
    folders = track.path.absolute().parent.parts[1:]
    deepest = min(depth + len(original.folder.parts) - 1, len(folders)) if original.folder.parts else depth
    folder = Path(*folders[-max(deepest, 1) :]) if folders else Path()
    return replace(track, folder=folder, name=original.name)


def refuse_shared_targets(tracks: Sequence[Track], job: SeparationJob) -> None:
    """Raise a `ConfigError` if a template gives two songs the same file.

    Args:
        tracks: the songs.
        job: the job.

    Raises:
        ConfigError: it does.
    """
    first: dict[Path, Track] = {}
    for track in tracks:
        other = first.setdefault(job.target(track, "stem"), track)
        if other is not track:
            raise ConfigError(
                f"--filename {job.template!r} gives {other.path} and {track.path} one name; put {{track}} into it"
            )


@contextmanager
def spooled(tracks: Sequence[Track]) -> Iterator[list[Track]]:
    """Copy pipes, such as /dev/stdin, to files for as long as they are needed.

    Args:
        tracks: songs; those that are files stay as they are.

    Raises:
        AudioFileError: there is no room for a copy.
    """
    with ScratchFolder() as folder:
        yield [_spool(track, folder / str(number)) for number, track in enumerate(tracks)]


def _spool(track: Track, copy: Path) -> Track:
    if track.path.is_file() or track.path.is_dir() or not track.path.exists():
        return track
    try:
        with track.path.open("rb") as pipe, copy.open("wb") as file:
            while data := pipe.read(_SPOOL_BYTES):
                check_room(copy.parent, 2 * len(data))
                file.write(data)
    except OSError as error:
        raise AudioFileError(f"cannot read {track.path}: {reason(error)}; name a file") from error
    return replace(track, path=copy)


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
    return (
        path.suffix.lower() in _SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
        and not path.resolve().is_relative_to(out.resolve())
    )


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _stem(path: Path) -> str:
    name = path.name.removesuffix(path.suffix)
    return path.name if not name.strip(".") else name  # a name of dots only would lead out of the folder
