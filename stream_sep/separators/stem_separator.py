"""A separator as an object to call, in the manner of Pedalboard: audio in, stems out, whole or block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.audio.arrays import float_array
from stream_sep.errors import ConfigError
from stream_sep.separators import DEFAULT, load_separator
from stream_sep.separators.rechunker import Rechunker

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Stems


class StemSeparator:
    """Splits audio into stems.

    Args:
        model: the separator, as for `load_separator`.
        options: the separator's own options.

    >>> import numpy as np
    >>> from stream_sep import StemSeparator
    >>> separator = StemSeparator("live")
    >>> song = np.random.default_rng(0).standard_normal((2, 44100)).astype(np.float32) * 0.1
    >>> stems = separator.process(song, 44100)
    >>> stems.shape, bool(np.allclose(stems.sum(axis=0), song, atol=1e-6))
    ((4, 2, 44100), True)

    Block by block, as it plays; the stems then come ``latency`` frames after the mix:

    >>> first = separator.process(song[:, :1000], 44100, reset=False)
    >>> then = separator.process(song[:, 1000:1500], 44100, reset=False)
    >>> first.shape, then.shape, separator.latency
    ((4, 2, 1000), (4, 2, 500), 959)
    """

    def __init__(self, model: str | Path = DEFAULT, **options: Any) -> None:  # noqa: ANN401 - each separator checks its own
        self.model = model
        self._options = options
        self._sample_rate = 0
        self._load(44100)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output's first axis."""
        return self._separator.stems

    @property
    def latency(self) -> int:
        """Frames by which stems lag behind the mix with ``reset=False``; with ``reset=True`` there are none."""
        return self._stream.latency

    def process(self, audio: NDArray[np.floating[Any]], sample_rate: int, *, reset: bool = True) -> Stems:
        """Return the stems of ``audio``, as many frames as it has.

        Args:
            audio: ``(channels, frames)`` or ``(frames,)``; mono goes to both channels, more than two are refused.
            sample_rate: frames per second.
            reset: clear the state, and return stems in time with the audio, as for a whole file. False
                continues where the last call ended, and returns stems `latency` frames late, as for a live stream.

        Returns:
            float32 ``(stems, 2, frames)``.

        Raises:
            ConfigError: more than two channels, values that are not floats, or a sample rate the separator does not
                work at.
        """
        mix = _stereo(audio)
        self._load(sample_rate)
        if not reset:
            return self._stream.process(mix)
        self._stream.reset()
        padded = np.pad(mix, ((0, 0), (0, self.latency)))
        stems = self._stream.process(padded)[..., self.latency :]
        self._stream.reset()
        return stems

    def _load(self, sample_rate: int) -> None:
        if sample_rate == self._sample_rate:
            return
        self._separator = load_separator(self.model, sample_rate, **self._options)
        self._stream = Rechunker(self._separator)
        self._sample_rate = sample_rate


def _stereo(audio: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    sound = np.atleast_2d(float_array(audio))
    if sound.shape[0] not in {1, 2} or sound.ndim > 2:
        raise ConfigError(
            f"audio of shape {sound.shape} is not (channels, frames) with one or two channels; transpose?"
        )
    return sound if sound.shape[0] == 2 else np.repeat(sound, 2, axis=0)
