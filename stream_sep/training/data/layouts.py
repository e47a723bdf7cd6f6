"""Layouts of data sets on disk, and the sources of each stem."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.evaluation.musdb18_test_songs import refuse_test_songs
from stream_sep.files.stem_folder import STEM_FILE_STREAMS, SUFFIXES, stems_in
from stream_sep.protocols import STEMS
from stream_sep.training.data.decode import read_blocks
from stream_sep.training.data.slakh import SLAKH_SOURCES, read_slakh, slakh_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from stream_sep.protocols import Block

_MIXTURES = {"mix", "mixture", "master", "accompaniment"}
_NO_SONGS = {"train", "test", "valid", "validation"}


@dataclass(frozen=True)
class Source:
    """A sound on disk: a file, or one stream of it."""

    path: Path
    stream: int | None = None

    def blocks(self, sample_rate: int) -> Iterator[Block]:
        """Yield the sound as float32 ``(2, frames)``, block by block; see `read_blocks`.

        Args:
            sample_rate: target frames per second.
        """
        return read_blocks(self.path, self.stream or 0, sample_rate)


Sources: TypeAlias = Mapping[str, tuple[Source, ...]]


@dataclass(frozen=True)
class StemSong:
    """A song of a data set: the sources to add up for each stem.

    Attributes:
        name: its own, unlike any other of the set.
        sources: source -> sounds; a source that is missing is not known to be silent.
        silent: sources that the song is known to have nothing of.
        max_hz: frequency above which the song is dull, as its source had a lower sample rate; 0 if it is not.
    """

    name: str
    sources: Sources
    silent: frozenset[str] = frozenset()
    max_hz: float = 0.0


def find_stem_songs(folder: Path, layout: str = "auto") -> list[StemSong]:
    """List the songs of a data set, by name.

    Args:
        folder: its folder.
        layout: one of `LAYOUTS`, or ``auto``: the first that finds songs.

    Raises:
        AudioFileError: there is no folder, or no song in it.
        ConfigError: unknown layout, or songs are of MUSDB18's test part.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise ConfigError(f"there is no layout {layout!r}; one of: auto, {', '.join(LAYOUTS)}")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is not a folder; name the folder of the songs")
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
    return [StemSong(inner.name, sources) for inner in _inner(folder) if (sources := _named_files(inner))]


def _inner(folder: Path) -> list[Path]:
    return [path for path in sorted({*folder.iterdir(), *folder.glob("train/*")}) if path.is_dir()]


def unused_files(folder: Path, songs: Sequence[StemSong]) -> list[Path]:
    """Return the sound files beside those of the songs that no stem is made of, but for mixtures.

    Args:
        folder: the data set's folder.
        songs: the output of `find_stem_songs` for it.
    """
    used = {source.path for song in songs for sources in song.sources.values() for source in sources}
    places = {path.parent for path in used} | {inner for inner in _inner(folder) if inner.name not in _NO_SONGS}
    return [
        path
        for place in sorted(places)
        for path in sorted(place.iterdir())
        if path.suffix.lower() in SUFFIXES and path not in used and path.stem.lower() not in _MIXTURES
    ]


def _named_files(folder: Path, stems: Sequence[str] = STEMS) -> Sources:
    """Return the stems in a folder, by the names of their files in letters of either case."""
    return {stem: (Source(path),) for stem, path in stems_in(folder, stems).items()}


def _cambridge_mt(folder: Path) -> list[StemSong]:
    """Cambridge Music Technology's songs in stems: one of several stems but no vocals is known to have none."""
    songs = []
    for song in _stem_folders(folder):
        is_instrumental = "vocals" not in song.sources and len(song.sources) > 1
        songs.append(replace(song, silent=frozenset({"vocals"} if is_instrumental else ())))
    return songs


def _mir1k(folder: Path) -> list[StemSong]:
    """MIR-1K: ``SINGER_N/vocals`` and ``accompaniment``; songs are ``SINGER - N``, as the split is by singer."""
    songs = []
    for inner in _inner(folder):
        singer, _, part = inner.name.rpartition("_")
        found = _named_files(inner, ("vocals", "accompaniment"))
        if singer and "accompaniment" in found:
            sources = {"vocals" if name == "vocals" else "instruments": files for name, files in found.items()}
            songs.append(StemSong(f"{singer} - {part}", sources, max_hz=MIR1K_MAX_HZ))
    return songs


def _moises(folder: Path) -> list[StemSong]:
    """MoisesDB: a folder a song, in it a folder for each kind of instrument, in it any number of tracks.

    Songs are named ``ARTIST - UUID``, by ``data.json`` and their folder, as the split is by artist.
    """
    songs = []
    for inner in sorted({path.parent for path in folder.glob("**/data.json")}):
        found: dict[str, list[Source]] = {}
        for file in sorted(inner.glob("*/*.wav")):
            found.setdefault(MOISES_SOURCES.get(file.parent.name, "other"), []).append(Source(file))
        if found:
            artist = _moises_artist(inner / "data.json")
            name = f"{artist} - {inner.name}" if artist else inner.name
            songs.append(_complete(name, found, frozenset(MOISES_SOURCES.values())))
    return songs


def _moises_artist(file: Path) -> str:
    """Return the artist of a song as a part of a name; empty if the file does not name one."""
    try:
        artist = json.loads(file.read_text(encoding="utf-8"))["artist"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return re.sub(r"[/\\\s]+", " ", artist).replace(" - ", "-").strip() if isinstance(artist, str) else ""


def _slakh(folder: Path) -> list[StemSong]:
    """Slakh2100: ``TrackNNNNN/metadata.yaml`` names the instrument of each of ``stems/SNN``; there are no vocals.

    Songs are named ``UUID - TrackNNNNN``, as several tracks are renderings of one MIDI file, which the UUID names:
    the split by artist then keeps them together.
    """
    songs = []
    for inner in sorted({path.parent for path in folder.glob("**/metadata.yaml")} - {folder}):
        if "test" in (part.lower() for part in inner.relative_to(folder).parts):
            continue
        about, tracks = read_slakh(inner / "metadata.yaml")
        found: dict[str, list[Source]] = {}
        for track, values in tracks.items():
            files = [inner / "stems" / f"{track}{suffix}" for suffix in SUFFIXES]
            if present := [file for file in files if file.is_file()]:
                found.setdefault(slakh_source(values), []).append(Source(present[0]))
        if found:
            name = f"{about['UUID']} - {inner.name}" if about.get("UUID") else inner.name
            songs.append(_complete(name, found, SLAKH_SOURCES | {"vocals"}))
    return songs


def _complete(name: str, found: Mapping[str, list[Source]], vocabulary: frozenset[str]) -> StemSong:
    """Return a song of a set that lists every instrument: a missing one is silent."""
    return StemSong(name, {source: tuple(files) for source, files in found.items()}, vocabulary - set(found))


MIR1K_MAX_HZ = 7500.0
"""Where the loss stops for songs of MIR-1K: their sample rate is 16 kHz, and nothing is left above 8 kHz."""

MOISES_SOURCES: Mapping[str, str] = {
    "vocals": "vocals",
    "drums": "drums",
    "bass": "bass",
    "guitar": "guitar",
    "piano": "piano",
    "other_keys": "keys",
    "other_plucked": "plucked",
    "bowed_strings": "strings",
    "wind": "wind",
    "percussion": "percussive",
    "other": "other",
}
"""Folder of MoisesDB -> our name of the source; another folder is ``other``."""

LAYOUTS: Mapping[str, Callable[[Path], list[StemSong]]] = {
    "stem-files": _stem_files,
    "moises": _moises,
    "slakh": _slakh,
    "stem-folders": _stem_folders,
    "cambridge-mt": _cambridge_mt,
    "mir1k": _mir1k,
}
"""Name of a layout -> function that lists its songs; ``auto`` takes the last two for stem folders."""
