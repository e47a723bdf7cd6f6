"""Time stretching and pitch shifting: Rubber Band on all stems at once, so that they stay aligned."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.protocols import Stems


_BLOCK = 512


def check_stretch() -> None:
    """Check that Rubber Band is installed.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("pylibrb") is None:
        raise ConfigError(f"speed and pitch need Rubber Band; {install_hint('stretch')}")


class Stretch:
    """Stretches a stream of stems.

    All stems share one stretcher, so that they stay aligned; the mix is their sum, so that faders at unity still
    give the mix.

    Args:
        read: returns the next frames, ``(1 + stems, 2, frames)``, the mix first.
        stems: number of stems.
        rate: frames per second.
        speed: song frames per output frame.
        pitch: semitones up.

    Raises:
        ConfigError: Rubber Band is not installed.
    """

    def __init__(self, read: Callable[[int], Stems], stems: int, rate: int, *, speed: float, pitch: float) -> None:
        check_stretch()
        self._read, self._stems, self._speed = read, stems, speed
        self._stretcher = _new_stretcher(2 * stems, rate, speed, pitch)
        self.pad = int(self._stretcher.get_preferred_start_pad())
        self._fed, self._given = -self.pad, 0

    @property
    def frames_buffered(self) -> float:
        """Song frames read but not yet output."""
        return self._fed - self._given * self._speed

    def read(self, frames: int) -> Stems:
        """Return the next output frames, ``(1 + stems, 2, frames)``; `pad` frames before the first are read too."""
        flat = self._retrieve(frames)
        self._given += frames
        stems = flat.reshape(self._stems, 2, frames)
        return np.concatenate([stems.sum(axis=0, keepdims=True), stems])

    def prime(self) -> None:
        """Read the padding before the first frame, which takes a moment; call it once, first."""
        delay = int(self._stretcher.get_start_delay())
        for step in (_BLOCK,) * (delay // _BLOCK) + (delay % _BLOCK,):
            self._retrieve(step)
        self._fill(_BLOCK)

    def _retrieve(self, frames: int) -> Stems:
        self._fill(frames)
        out: Stems = self._stretcher.retrieve(frames)
        return out

    def _fill(self, frames: int) -> None:
        while self._stretcher.available() < frames:
            sound = self._read(_BLOCK)[1:].reshape(2 * self._stems, _BLOCK)
            self._stretcher.process(np.ascontiguousarray(sound))
            self._fed += _BLOCK


def _new_stretcher(channels: int, rate: int, speed: float, pitch: float) -> Any:  # noqa: ANN401 - pylibrb is untyped
    import pylibrb  # noqa: PLC0415 - an extra

    option = pylibrb.Option
    # with short windows the finer engine is as fast as the faster one, which smears tones
    options = option.PROCESS_REALTIME | option.ENGINE_FINER | option.WINDOW_SHORT | option.CHANNELS_TOGETHER
    stretcher = pylibrb.RubberBandStretcher(rate, channels, options, 1 / speed, 2 ** (pitch / 12))
    stretcher.set_max_process_size(_BLOCK)
    return stretcher
