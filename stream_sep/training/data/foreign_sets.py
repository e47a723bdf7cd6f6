"""Training sets of vocal removers: folders of instrumentals, of voices, of pairs, and spectra in ``.npz`` files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.files.stem_folder import SUFFIXES
from stream_sep.training.data.cache import RATE, build_cache
from stream_sep.training.data.layouts import Source, StemSong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

    Sound = NDArray[np.float32]

KINDS = ("instruments", "vocals", "pairs", "npz-instruments", "npz-vocals", "npz-pairs")
"""The layouts of a folder: one file per song, ``mixtures/`` and ``instruments/``, or spectra of one of these."""

N_FFT, HOP = 2048, 1024
_PATCH = re.compile(r"(.+)_p(\d+)")
_FOLDER = re.compile(r"_sr(\d+)_hl(\d+)_nf(\d+)")
_HALF = re.compile(r"[ _-]+(mix|mixture|inst|instrumental|instruments)$")
_ALIGN_SECONDS = 4


def import_set(folder: Path, cache: Path, kind: str, report: Callable[[str], None]) -> int:
    """Add the songs of a set to a cache, but those that it has; return how many songs were added.

    Args:
        folder: the set.
        cache: a folder or an HDF5 file; see `build_cache`.
        kind: one of `KINDS`.
        report: callback that receives the name of every finished song.

    Raises:
        AudioFileError: there is no song; or, once all others are done, songs could not be read.
        ConfigError: unknown kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of training set {kind!r}; choose from {', '.join(KINDS)}")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is not a folder; name the folder of the set")
    songs = list(_songs(folder, kind))
    if not songs:
        raise AudioFileError(f"no song of the kind {kind!r} in {folder}; the kinds are {', '.join(KINDS)}")
    return build_cache(songs, cache, report)


def join_spectra(parts: list[NDArray[np.complex64]]) -> Sound:
    """Return the sound, ``(2, frames)``, of the spectra of a song that was cut, whose end is padded with zeros.

    Args:
        parts: complex64 ``(2, 1025, frames)`` each: of a centred STFT of 2048 frames, every 1024.
    """
    import torch  # noqa: PLC0415 - heavy, and only here when spectra are

    whole = np.concatenate(parts, axis=2)
    used = np.flatnonzero(np.abs(whole).max(axis=(0, 1)) > 0)
    if not used.any():  # silent, as the vocals of a pair without any, or a single frame, which holds no hop
        return np.zeros((2, 0), np.float32)
    whole = whole[:, :, : used[-1] + 1]
    spectra = torch.from_numpy(np.ascontiguousarray(whole, np.complex64))
    sound: Sound = torch.istft(spectra, N_FFT, HOP, window=torch.hann_window(N_FFT)).numpy()
    return sound


def align(mixture: Sound, instruments: Sound, rate: int = RATE) -> tuple[Sound, Sound]:
    """Return both, cut to begin together and to be of one length, by the correlation of their first four seconds.

    Args:
        mixture: ``(2, frames)``.
        instruments: the same song without its vocals, a little earlier or later.
        rate: frames per second.
    """
    first, second = (sound[:, : _ALIGN_SECONDS * rate].mean(axis=0) for sound in (mixture, instruments))
    size = 2 ** int(np.ceil(np.log2(len(first) + len(second))))
    products = np.fft.irfft(np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size)), size)
    shift = int(np.argmax(products))
    shift -= size if shift > size // 2 else 0
    mixture, instruments = mixture[:, max(shift, 0) :], instruments[:, max(-shift, 0) :]
    frames = min(mixture.shape[1], instruments.shape[1])
    return mixture[:, :frames], instruments[:, :frames]


@dataclass(frozen=True)
class _HalfOfPair(Source):
    """The vocals or the instruments of a mixture, `path`, and the same song without vocals.

    Both halves read both files, so that no file between is needed.
    """

    without: Path = Path()
    source: str = "instruments"

    def blocks(self, sample_rate: int) -> Iterator[Block]:
        mixed, without = (_read(Source(each), sample_rate) for each in (self.path, self.without))
        mixture, instruments = align(mixed, without, sample_rate)
        yield mixture - instruments if self.source == "vocals" else instruments


@dataclass(frozen=True)
class _Spectra(Source):
    """The sound of the spectra in some files: X, Y, or, ``X-Y``, their difference."""

    parts: tuple[Path, ...] = ()
    key: str = "X"

    def blocks(self, sample_rate: int) -> Iterator[Block]:
        assert sample_rate == RATE, "spectra are of this rate"
        for number, path in enumerate(self.parts):
            if len(self.parts) > 1 and not path.stem.endswith(f"_p{number}"):
                raise AudioFileError(f"there is no part {number} before {path}; copy it, or remove the others")
        loaded = [_load(path) for path in self.parts]
        if "Y" in self.key and not all("Y" in part for part in loaded):
            raise AudioFileError(
                f"{self.path} does not contain Y, the instruments of a pair; import it as npz-instruments?"
            )
        yield join_spectra([part["X"] - part["Y"] if self.key == "X-Y" else part[self.key] for part in loaded])


def _songs(folder: Path, kind: str) -> Iterator[StemSong]:
    silent = frozenset({"vocals"} if kind.removeprefix("npz-") == "instruments" else ())
    if kind in {"instruments", "vocals"}:
        yield from (StemSong(path.stem, {kind: (Source(path),)}, silent) for path in _sounds(folder))
    elif kind == "pairs":
        for name, (mixed, without) in _pairs(folder).items():
            halves = ("vocals", "instruments")
            yield StemSong(name, {half: (_HalfOfPair(mixed, without=without, source=half),) for half in halves})
    else:
        for name, files in _patches(folder).items():
            keys = {"vocals": "X-Y", "instruments": "Y"} if kind == "npz-pairs" else {kind.removeprefix("npz-"): "X"}
            sources = {source: (_Spectra(files[0], parts=tuple(files), key=key),) for source, key in keys.items()}
            yield StemSong(name, sources, silent)


def _load(path: Path) -> dict[str, NDArray[np.complex64]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in ("X", "Y") if name in file and file[name].ndim == 3}
    except (OSError, ValueError) as error:
        raise AudioFileError(f"{path} cannot be read as spectra ({reason(error)}); is the file whole?") from error
    if "X" not in found or any(each.shape[:2] != (2, N_FFT // 2 + 1) for each in found.values()):
        raise AudioFileError(f"{path} does not contain spectra X of (2, {N_FFT // 2 + 1}, frames)")
    return found


def _patches(folder: Path) -> dict[str, list[Path]]:
    """Return the parts of each song, in order.

    Raises:
        AudioFileError: a song is in several folders, as of a set that was cut at several offsets.
    """
    found: dict[str, dict[Path, list[tuple[int, Path]]]] = {}
    for path in sorted(folder.glob("**/*.npz")):
        _refuse_other_spectra(path.parent)
        match = _PATCH.fullmatch(path.stem)
        name, number = (match[1], int(match[2])) if match else (path.stem, 0)
        found.setdefault(name, {}).setdefault(path.parent, []).append((number, path))
    for name, places in found.items():
        if len(places) > 1:
            first, second, *_ = places
            raise AudioFileError(f"parts of {name!r} are in {first} and in {second}; import one of these folders")
    return {name: [path for _, path in sorted(*places.values())] for name, places in sorted(found.items())}


def _refuse_other_spectra(folder: Path) -> None:
    """Raise an AudioFileError for spectra of another rate or STFT, by the name that the folder has then."""
    match = _FOLDER.search(folder.name)
    if match and tuple(map(int, match.groups())) != (RATE, HOP, N_FFT):
        raise AudioFileError(
            f"{folder} has spectra of {match[1]} Hz, {match[3]} frames every {match[2]}; only {RATE} Hz, "
            f"{N_FFT} every {HOP} can be imported"
        )


def _pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return each mixture and its instruments, found by the names of their files.

    Raises:
        AudioFileError: files without their other half, or two of one name.
    """
    mixed, without = (_by_name(_sounds(folder / name)) for name in ("mixtures", "instruments"))
    odd = [*(mixed[key].name for key in mixed if key not in without)]
    odd_without = [*(without[key].name for key in without if key not in mixed)]
    if odd or odd_without:
        lacking = [
            f"{name} of {', '.join(files)}"
            for name, files in (("instruments", odd), ("mixtures", odd_without))
            if files
        ]
        raise AudioFileError(
            f"{folder} does not have the {' and the '.join(lacking)}; name both halves alike, but for _mix and _inst"
        )
    return {path.stem: (path, without[key]) for key, path in mixed.items()}


def _by_name(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        key = _HALF.sub("", path.stem.casefold())
        if key in found:
            raise AudioFileError(f"{path} and {found[key].name} are of one song by their names; remove one")
        found[key] = path
    return found


def _sounds(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def _read(source: Source, sample_rate: int) -> Sound:
    return np.concatenate([np.zeros((2, 0), np.float32), *source.blocks(sample_rate)], axis=1)
