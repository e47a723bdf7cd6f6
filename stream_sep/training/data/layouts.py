"""How data sets lie on a disk, and which of their sounds make up which stem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.evaluation.musdb18_test_songs import refuse_test_songs
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
"""Sound files that are looked for, the first first."""

STEM_FILE_STREAMS = {"vocals": 4, "drums": 1, "bass": 2, "other": 3}
"""Where the stems lie in a ``.stem.mp4``; stream 0 is the mix, which is not always their sum."""


@dataclass(frozen=True)
class Source:
    """A sound on disk: a file, or one stream of it."""

    path: Path
    stream: int | None = None


Sources: TypeAlias = Mapping[str, tuple[Source, ...]]


@dataclass(frozen=True)
class StemSong:
    """A song of a data set: what to add up for each of its stems.

    Attributes:
        name: its own, unlike any other of the set.
        sources: stem -> sounds; a stem that is missing is not known to be silent.
    """

    name: str
    sources: Sources


def find_stem_songs(folder: Path, layout: str = "auto") -> list[StemSong]:
    """List the songs of a data set, by name.

    Args:
        folder: where it lies.
        layout: one of `LAYOUTS`, or ``auto``: the first that finds songs.

    Raises:
        AudioFileError: there is no folder, or no song in it.
        ConfigError: there is no such layout, or songs are of MUSDB18's test part.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise ConfigError(f"there is no layout {layout!r}; one of: auto, {', '.join(LAYOUTS)}")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is no folder; name the one that holds the songs")
    for name in LAYOUTS if layout == "auto" else (layout,):
        if songs := sorted(LAYOUTS[name](folder), key=lambda song: song.name):
            refuse_test_songs(song.name for song in songs)
            return songs
    looked = "any known layout" if layout == "auto" else f"the layout {layout!r}"
    raise AudioFileError(f"no song of {looked} in {folder}; the layouts are: {', '.join(LAYOUTS)}")


def _stem_files(folder: Path) -> list[StemSong]:
    """MUSDB18: ``train/*.stem.mp4``, or the files themselves."""
    files = sorted({*folder.glob("*.stem.mp4"), *folder.glob("train/*.stem.mp4")})
    return [
        StemSong(
            path.name.removesuffix(".stem.mp4"),
            {stem: (Source(path, stream),) for stem, stream in STEM_FILE_STREAMS.items()},
        )
        for path in files
    ]


def _stem_folders(folder: Path) -> list[StemSong]:
    """MUSDB18-HQ, and any folder of folders with ``vocals.wav`` and the like."""
    inners = [path for path in sorted({*folder.iterdir(), *folder.glob("train/*")}) if path.is_dir()]
    return [StemSong(inner.name, sources) for inner in inners if (sources := _named_files(inner))]


def _named_files(folder: Path) -> Sources:
    found: dict[str, tuple[Source, ...]] = {}
    for stem in STEMS:
        files = [folder / f"{stem}{suffix}" for suffix in SUFFIXES]
        if present := [file for file in files if file.is_file()]:
            found[stem] = (Source(present[0]),)
    return found


def _moises(folder: Path) -> list[StemSong]:
    """MoisesDB: a folder a song, in it a folder for each kind of instrument, in it any number of tracks."""
    kinds = {stem: stem for stem in ("vocals", "drums", "bass")}
    songs = []
    for inner in sorted({path.parent for path in folder.glob("**/data.json")}):
        found: dict[str, list[Source]] = {stem: [] for stem in STEMS}
        for file in sorted(inner.glob("*/*.wav")):
            found[kinds.get(file.parent.name, "other")].append(Source(file))
        if any(found.values()):
            songs.append(StemSong(inner.name, {stem: tuple(files) for stem, files in found.items() if files}))
    return songs


def _slakh(folder: Path) -> list[StemSong]:
    """Slakh2100: ``TrackNNNNN/metadata.yaml`` says which of ``stems/SNN`` is drums or bass; nobody sings."""
    songs = []
    for inner in sorted({path.parent for path in folder.glob("**/metadata.yaml")} - {folder}):
        if "test" in (part.lower() for part in inner.relative_to(folder).parts):
            continue
        found: dict[str, list[Source]] = {"drums": [], "bass": [], "other": []}
        for track, values in _slakh_tracks(inner / "metadata.yaml").items():
            kind = "drums" if values.get("is_drum") == "true" else values.get("inst_class", "").lower()
            files = [inner / "stems" / f"{track}{suffix}" for suffix in SUFFIXES]
            stem = kind if kind in found else "other"
            found[stem].extend(Source(file) for file in files if file.is_file())
        if any(found.values()):
            songs.append(StemSong(inner.name, {stem: tuple(files) for stem, files in found.items() if files}))
    return songs


def _slakh_tracks(metadata: Path) -> dict[str, dict[str, str]]:
    """Return what is written of each track; so little of YAML is used that no library is needed for it."""
    tracks: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    inside = False
    for line in metadata.read_text(encoding="utf-8").splitlines():
        key, _, value = line.strip().partition(":")
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            inside = key == "stems"
        elif inside and not value.strip():
            current = tracks.setdefault(key, {})
        elif inside:
            current[key] = value.strip().strip("'\"").lower()
    return tracks


LAYOUTS: Mapping[str, Callable[[Path], list[StemSong]]] = {
    "stem-files": _stem_files,
    "moises": _moises,
    "slakh": _slakh,
    "stem-folders": _stem_folders,
}
"""Name of a layout -> what lists its songs."""
