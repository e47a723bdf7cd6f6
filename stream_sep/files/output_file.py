"""An output file with one writer, which gets its final name only when it is complete."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError, FileInUseError
from stream_sep.files.disk_space import free_bytes
from stream_sep.files.formats import FLOATS
from stream_sep.files.part_files import ENDINGS, RAW, TAGGED, beside, part_path
from stream_sep.files.sound_file import sound_path
from stream_sep.lowlevel.atomic_file import FileClaim, remove_stale
from stream_sep.lowlevel.streaming_wav import StreamingWavWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_sep.files.formats import AudioFormat
    from stream_sep.protocols import Block

_BLOCK = 1 << 16
"""Frames written at once: libsndfile 1.2.2 ends the process where 2**21 go to Ogg Vorbis."""

_HEADROOM = 1.01
_CLAMP = 0.99
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FULL_BYTES = 1 << 20


class OutputFile:
    """A sound file being written, in a ``with`` statement, which deletes it unless `commit` was called.

    Until then it has a name that ends in ``.part`` and the suffix.

    Args:
        target: the file, which is replaced; its folder is made.
        sample_rate: frames per second.
        frames: how many there will be; only decides how they are counted.
        format: its audio format.
        stream: whether others can read what is there so far, in `part`: a WAV file's header then counts what is there
            at all times, also after a crash. Sound over full scale is cut, not turned down.
    """

    def __init__(self, target: Path, sample_rate: int, frames: int, format: AudioFormat, *, stream: bool) -> None:  # noqa: A002 - libsndfile's word
        self.target = target
        self.peak = 0.0
        self._format, self._frames, self._rate, self._stream = format, frames, sample_rate, stream
        self._clip = "clamp" if stream and format.clip_mode == "rescale" else format.clip_mode
        self._raw = self._clip == "rescale"  # how far to turn it down is known only at its end
        self.part = beside(target, RAW) if self._raw else part_path(target, format)
        self._file: soundfile.SoundFile | StreamingWavWriter | None = None
        self._claim: FileClaim | None = None
        self._made_folders: list[Path] = []
        self._written = 0

    def __enter__(self) -> Self:
        """Create the file; see `open`."""
        try:
            self.open()
        except BaseException:
            self.abort()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the file unless it is complete; see `abort`."""
        self.abort()

    def open(self) -> None:
        """Create the file.

        Raises:
            FileInUseError: another process is writing the same file.
            AudioFileError: it cannot be written.
        """
        self._made_folders = _missing_folders(self.target.parent)
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._claim = _claim(self.part, self.target)
            remove_stale(beside(self.target, ending) for ending in ENDINGS)
            self._file = self._create_part()
        except (OSError, soundfile.SoundFileError) as error:
            raise self._refusal(error) from error

    def write(self, block: Block) -> None:
        """Append ``(2, frames)``.

        Raises:
            AudioFileError: it cannot be written, as on a full disk.
        """
        assert self._file is not None, "open it first"
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        sound = _limited(block, self._clip).T
        try:
            for at in range(0, len(sound), _BLOCK):
                self._file.write(sound[at : at + _BLOCK])
            if self._stream:
                self._file.flush()
        except (OSError, AssertionError, soundfile.SoundFileError) as error:  # an assertion is a short write
            raise self._refusal(error) from error
        self._written += len(sound)

    @property
    def gain(self) -> float:
        """The gain that avoids clipping; 1 in most cases, and in most modes."""
        return 1 / max(_HEADROOM * self.peak, 1.0) if self._raw else 1.0

    @property
    def cut_db(self) -> float:
        """Peak level of clipped sound over full scale, in dB; 0 if nothing is clipped."""
        is_cut = self._clip in {"clamp", "none"} and not self._format.floats and self.peak > 1.0
        return 20 * float(np.log10(self.peak)) if is_cut else 0.0

    def finish(self, gain: float) -> None:
        """Apply ``gain`` and write the sound in its final format, still next to the target: see `part`.

        Raises:
            AudioFileError: it cannot be written, or its content differs from the written one.
        """
        assert self._file is not None, "open it first"
        assert self._claim is not None, "as above"
        try:
            self._file.close()
            if self._raw:
                part = part_path(self.target, self._format)
                claim = _claim(part, self.target)
                raw, self.part, raw_claim, self._claim = self.part, part, self._claim, claim
                try:
                    self._convert(raw, gain)
                finally:
                    raw_claim.remove()
            self._check()
        except (OSError, AssertionError, soundfile.SoundFileError) as error:
            raise self._refusal(error) from error

    def rewrite(self, copy: Callable[[Path, Path], None]) -> None:
        """Replace the finished sound by the output of ``copy(source, target)``.

        Raises:
            AudioFileError: it cannot be written.
        """
        assert self._claim is not None, "open it first"
        try:
            with _claim(beside(self.target, TAGGED), self.target) as tagged:
                copy(self.part, tagged.path)
                self._claim.replace(tagged)
        except OSError as error:
            raise self._refusal(error) from error

    def commit(self) -> None:
        """Rename the finished file to its name.

        Raises:
            AudioFileError: it cannot have it, as where another program has the file open on Windows.
        """
        assert self._claim is not None, "open it first"
        try:
            self._claim.rename(self.target)
        except OSError as error:
            raise self._refusal(error) from error

    def abort(self) -> None:
        """Delete the file and the folders created for it; does nothing after `commit`."""
        if self._file is not None:
            with suppress(OSError, soundfile.SoundFileError):
                self._file.close()
        if self._claim is not None:
            self._claim.remove()
        for folder in self._made_folders:
            with suppress(OSError):  # something else is in it by now
                folder.rmdir()

    def _create_part(self) -> soundfile.SoundFile | StreamingWavWriter:
        if self._stream and self._format.name == "wav":
            return StreamingWavWriter(self.part, self._rate, self._format.bits)
        return _create(self.part, self._rate, self._frames, FLOATS if self._raw else self._format)

    def _convert(self, raw: Path, gain: float) -> None:
        with (
            soundfile.SoundFile(sound_path(raw)) as sound,
            _create(self.part, self._rate, self._frames, self._format) as file,
        ):
            while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
                file.write(block * np.float32(gain))

    def _check(self) -> None:
        """Check that the file contains what was written: a full disk does not always raise an error before."""
        if self._format.name == "mp3":  # whose frames are padded
            whole = self.part.stat().st_size > 0
        else:
            whole = soundfile.info(sound_path(self.part)).frames == self._written
        if not whole:
            raise OSError(errno.EIO, "the file does not hold what was written to it")

    def _refusal(self, error: BaseException) -> AudioFileError:
        return cannot_write(self.target, error)


def cannot_write(target: Path, error: BaseException) -> AudioFileError:
    """Return the error for a file that cannot be written, with a specific message for the usual reasons.

    Args:
        target: the file.
        error: the system's error.
    """
    if isinstance(error, BlockingIOError):
        return FileInUseError(f"another stream-sep is writing {target}; wait for it, or take another --out")
    free = free_bytes(target.parent)
    if getattr(error, "errno", None) in _FULL or (free is not None and free < _FULL_BYTES):
        return AudioFileError(f"cannot write {target}: its disk is full; free some space, or take another --out")
    if isinstance(error, NotADirectoryError | FileExistsError):
        blocked = next((each for each in target.parents if each.is_file()), target.parent)
        return AudioFileError(f"cannot write {target}: {blocked} is a file; take a folder for --out")
    if isinstance(error, FileNotFoundError):
        return AudioFileError(f"cannot write {target}: it was removed while it was being written")
    return AudioFileError(f"cannot write {target}: {error}; try another folder with --out")


def _claim(path: Path, target: Path) -> FileClaim:
    try:
        return FileClaim(path)
    except OSError as error:
        raise cannot_write(target, error) from error


def _missing_folders(folder: Path) -> list[Path]:
    """Return the missing folders, the innermost first."""
    missing = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        missing.append(each)
    return missing


def _create(path: Path, rate: int, frames: int, format: AudioFormat) -> soundfile.SoundFile:  # noqa: A002 - as above
    return soundfile.SoundFile(sound_path(path), "w", rate, 2, **format.container(frames))


def _limited(block: Block, clip: str) -> Block:
    if clip == "clamp":
        return np.clip(block, -_CLAMP, _CLAMP)
    return np.tanh(block) if clip == "tanh" else block
