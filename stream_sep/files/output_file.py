"""One file that stems are written to: it has its name only when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError
from stream_sep.files.formats import FLOATS
from stream_sep.files.streaming_wav import GrowingWav

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.files.formats import AudioFormat
    from stream_sep.protocols import Block

_BLOCK = 1 << 16
_HEADROOM = 1.01
_CLAMP = 0.99


class OutputFile:
    """Sound on its way to a file. Until `finish` it is beside it, under a name that ends in ``.part`` and the suffix.

    Args:
        target: the file, which is replaced; its folder is made.
        sample_rate: frames per second.
        frames: how many there will be; only decides how they are counted.
        format: how the file holds the sound.
        stream: whether others can read what is there so far, in `part`: a WAV file's header then counts what is there
            at all times, also after a crash. Sound over full scale is cut, not turned down.
    """

    def __init__(self, target: Path, sample_rate: int, frames: int, format: AudioFormat, *, stream: bool) -> None:  # noqa: A002 - what libsndfile calls it
        self.target = target
        self.peak = 0.0
        self._format, self._frames, self._rate, self._stream = format, frames, sample_rate, stream
        self._clip = "clamp" if stream and format.clip_mode == "rescale" else format.clip_mode
        self._raw = self._clip == "rescale"  # how far to turn it down is known only at its end
        self.part = _beside(target, "raw.part.wav") if self._raw else _beside(target, f"part.{format.name}")
        self._file: soundfile.SoundFile | GrowingWav | None = None

    def open(self) -> None:
        """Make it. Before that there is nothing to `discard`: who is interrupted in between leaves nothing behind.

        Raises:
            AudioFileError: it cannot be written.
        """
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
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
        try:
            self._file.write(_limited(block, self._clip).T)
            if self._stream:
                self._file.flush()
        except (OSError, soundfile.SoundFileError) as error:
            raise self._refusal(error) from error

    @property
    def gain(self) -> float:
        """What the sound has to be multiplied by so that it is not cut; 1 in most cases, and in most modes."""
        return 1 / max(_HEADROOM * self.peak, 1.0) if self._raw else 1.0

    def finish(self, gain: float) -> None:
        """Turn the sound down by ``gain`` and write it as it has to be, still beside the target: see `part`.

        Raises:
            AudioFileError: it cannot be written.
        """
        assert self._file is not None, "open it first"
        try:
            self._file.close()
            if self._raw:
                raw, self.part = self.part, _beside(self.target, f"part.{self._format.name}")
                self._convert(raw, gain)
                raw.unlink()
        except (OSError, soundfile.SoundFileError) as error:
            raise self._refusal(error) from error

    def publish(self) -> None:
        """Give the finished file its name.

        Raises:
            AudioFileError: it cannot have it, as where another program has the file open on Windows.
        """
        try:
            self.part.replace(self.target)
        except OSError as error:
            raise self._refusal(error) from error

    def discard(self) -> None:
        """Leave nothing behind; does nothing after `publish`."""
        if self._file is not None:
            self._file.close()
        for part in (self.part, _beside(self.target, "raw.part.wav")):
            part.unlink(missing_ok=True)

    def _create_part(self) -> soundfile.SoundFile | GrowingWav:
        if self._stream and self._format.name == "wav":
            large = self._format.container(self._frames)["format"] == "RF64"
            return GrowingWav(self.part, self._rate, self._format.bits, large=large)
        return _create(self.part, self._rate, self._frames, FLOATS if self._raw else self._format)

    def _convert(self, raw: Path, gain: float) -> None:
        with soundfile.SoundFile(raw) as sound, _create(self.part, self._rate, self._frames, self._format) as file:
            for block in sound.blocks(_BLOCK, dtype="float32", always_2d=True):
                file.write(block * np.float32(gain))

    def _refusal(self, error: Exception) -> AudioFileError:
        return AudioFileError(f"cannot write {self.target}: {error}; try another folder with --out")


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f"{target.name.removesuffix(target.suffix)}.{ending}")


def _create(path: Path, rate: int, frames: int, format: AudioFormat) -> soundfile.SoundFile:  # noqa: A002 - as above
    return soundfile.SoundFile(path, "w", rate, 2, **format.container(frames))


def _limited(block: Block, clip: str) -> Block:
    if clip == "clamp":
        return np.clip(block, -_CLAMP, _CLAMP)
    return np.tanh(block) if clip == "tanh" else block
