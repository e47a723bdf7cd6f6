"""Turns a model that separates whole windows into a stream: past context, hop, look-ahead, and a crossfade.

A network such as Demucs takes a stretch of music at once. Here it takes, once per hop, a window that ends at the
newest frame::

    | context | hop | fade | lookahead |  newest frame
              |--- core ---|

Only the core is kept. Its last ``fade`` frames are blended into the first ones of the next core, so no seam is
audible. Context is free in latency and costs compute; look-ahead and fade cost latency; the hop costs latency in the
engine, which has to collect it (and needs the time of a hop to compute the next).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.protocols import Block, Stems

MARGIN = 0.9
"""Share of a hop that a window may take to compute in a slow moment; the rest is for the system's other work."""


_REST = ("other", "rest", "instruments", "instrumental", "accompaniment")


class WindowModel(Protocol):
    """Separates one window of a mix, without state."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output's first axis."""
        ...

    @property
    def sample_rate(self) -> int:
        """Frames per second of the mix and of the stems."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the mix and of each stem."""
        ...

    def __call__(self, window: Block) -> Stems:
        """Return the stems, ``(stems, channels, frames)``, of a window, ``(channels, frames)``, left unchanged."""
        ...


class WindowedSeparator:
    """Runs a window model once per hop; a `Separator`.

    The stems add up to the mix: the remainder goes to the stem of all else, by `rest_of`. A window of silence gives
    silence without running the model. Numbers that are not finite pass, and are gone after one hop: nothing of the
    output is kept but the faded tail.

    Args:
        window_model: separates one window; it is given ``context + hop + fade + lookahead`` frames, always.
        context: frames of the past before the hop.
        hop: frames per call.
        lookahead: frames of the future after the kept part.
        fade: frames of the linear crossfade between neighbours, at most a hop. Linear, as both sides are the same
            signal and their amplitudes add.

    Raises:
        ConfigError: an invalid size.

    >>> class Half:
    ...     stems, sample_rate, channels = ("half", "left over"), 44100, 1
    ...     def __call__(self, window):
    ...         return np.stack([window / 2, 0 * window])
    >>> half = WindowedSeparator(Half(), context=4, hop=2, lookahead=1, fade=0)
    >>> half.latency, half.process(np.array([[4, 8]], np.float32)).tolist()
    (1, [[[0.0, 2.0]], [[0.0, 2.0]]])
    """

    _tail: Stems  # (stems, channels, fade): the end of the last core, falling
    _silent: int  # frames left before the first one of the mix

    compute_share = MARGIN

    def __init__(self, window_model: WindowModel, *, context: int, hop: int, lookahead: int, fade: int) -> None:
        if hop < 1 or min(context, lookahead, fade) < 0:
            raise ConfigError(
                f"windows need a hop of at least 1 frame and no negative size, not context {context}, hop {hop}, "
                f"lookahead {lookahead}, fade {fade}"
            )
        if fade > hop:
            raise ConfigError(f"a crossfade of {fade} frames does not fit in a hop of {hop}; make it shorter")
        self.stems = tuple(window_model.stems)
        self.sample_rate = window_model.sample_rate
        self.channels = window_model.channels
        self.hop = hop
        self.latency = lookahead + fade
        self._model = window_model
        self._core = slice(context, context + hop + fade)
        self._rising = (np.arange(1, fade + 1) / (fade + 1)).astype(np.float32)
        self._window = np.zeros((self.channels, context + hop + fade + lookahead), np.float32)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the window that ends with ``block``; shapes as in `Separator.process`."""
        self._window[:, : -self.hop] = self._window[:, self.hop :]
        self._window[:, -self.hop :] = block
        core = self._separate()
        fade = len(self._rising)
        core[..., :fade] *= self._rising
        core[..., :fade] += self._tail
        self._tail = core[..., self.hop :] * self._rising[::-1]
        return self._without_pre_echo(core[..., : self.hop])

    def reset(self) -> None:
        """Clear the window and the faded tail."""
        self._window[:] = 0.0
        self._tail = np.zeros((len(self.stems), self.channels, len(self._rising)), np.float32)
        self._silent = self.latency

    def _separate(self) -> Stems:
        mix = self._window[:, self._core]
        if not self._window.any():  # the biases of a network make sound out of nothing
            return np.zeros((len(self.stems), *mix.shape), np.float32)
        stems = np.array(self._model(self._window)[..., self._core], np.float32)
        return add_remainder(stems, mix, self.stems)

    def _without_pre_echo(self, stems: Stems) -> Stems:
        # A model that looks ahead can sound before the first frame of the mix: there the stems cancel, and are muted.
        silent = min(self._silent, self.hop)
        self._silent -= silent
        stems[..., :silent] = 0.0
        return stems


def rest_of(names: Sequence[str]) -> int:
    """Return which stem holds all that the others do not: ``other``, or one named so, or the last.

    Args:
        names: names of the stems.

    >>> rest_of(("vocals", "other", "bass")), rest_of(("Instrumental", "Vocals")), rest_of(("drums", "no_drums"))
    (1, 0, 1)
    """
    plain = [name.casefold() for name in names]
    named = [plain.index(name) for name in _REST if name in plain]
    without = [row for row, name in enumerate(plain) if name.startswith(("no_", "no "))]
    return [*named, *without, len(names) - 1][0]


def add_remainder(stems: Stems, mix: Block, names: tuple[str, ...]) -> Stems:
    """Add the difference of ``mix`` and ``stems`` to the stem of all else, by `rest_of`; in place.

    Args:
        stems: ``(stems, channels, frames)``, completed in place.
        mix: ``(channels, frames)``.
        names: names of the stems.

    >>> add_remainder(np.zeros((2, 1, 1), np.float32), np.ones((1, 1), np.float32), ("vocals", "other")).ravel()
    array([0., 1.], dtype=float32)
    """
    stems[rest_of(names)] += mix - stems.sum(axis=0)
    return stems


@dataclass(frozen=True)
class WindowSizes:
    """The parts of a window, in frames; the names are those of `WindowedSeparator`."""

    context: int
    hop: int
    lookahead: int
    fade: int


def sizes_for_budget(
    budget_ms: float,
    seconds_per_window: float,
    sample_rate: int,
    *,
    window: int,
    fade: int = 441,
    lookahead: tuple[int, int] = (0, 22050),
    multiple: int = 1,
) -> WindowSizes:
    """Divide a window so that stems are output at most ``budget_ms`` after their input.

    A sound waits for its hop to fill, then for the window to be computed, and comes out behind the look-ahead and
    the crossfade: ``total = hop + compute + lookahead + fade``. To keep up, ``compute <= MARGIN * hop``. The hop is
    the smallest that keeps up, the look-ahead takes what the budget leaves, up to its most (beyond that it hardly
    helps) and to half of what the hop leaves of the window, and what is still left makes the hop longer, which saves
    compute. The rest of the window is context, at least as much as look-ahead where the window holds it.

    Args:
        budget_ms: milliseconds from sound to stems, without the sound device.
        seconds_per_window: what this machine needs for one window of ``window`` frames, in a slow moment.
        sample_rate: frames per second.
        window: frames of the whole window.
        fade: frames of the crossfade.
        lookahead: the fewest and the most frames of look-ahead.
        multiple: the hop is a multiple of this.

    Raises:
        ConfigError: the budget, or the window, is too small for this machine; the message has the minimum.

    >>> sizes_for_budget(1000, 0.3, 44100, window=66150)
    WindowSizes(context=35280, hop=14700, lookahead=15729, fade=441)
    """
    compute = math.ceil(seconds_per_window * sample_rate)
    shortest = math.ceil(compute / MARGIN / multiple) * multiple
    spare = int(budget_ms * sample_rate / 1000) - (shortest + compute + fade + lookahead[0])
    if spare < 0:
        _refuse(budget_ms, shortest + compute + fade + lookahead[0], seconds_per_window, sample_rate)
    ahead = max(lookahead[0], min(lookahead[0] + spare, lookahead[1], (window - shortest - fade) // 2))
    hop = shortest + (spare - (ahead - lookahead[0])) // multiple * multiple
    hop = min(hop, max(shortest, (window - 2 * ahead - fade) // multiple * multiple))
    context = window - hop - ahead - fade
    if context < 0:
        raise ConfigError(
            f"a window of {window / sample_rate:.2f} s cannot hold the hop of {hop / sample_rate:.2f} s which this "
            f"machine needs at {seconds_per_window:.2f} s a window; make the window longer or the model smaller"
        )
    return WindowSizes(context, hop, ahead, fade)


def _refuse(budget_ms: float, smallest: int, seconds_per_window: float, sample_rate: int) -> None:
    raise ConfigError(
        f"{budget_ms:g} ms of latency cannot be met here: a window takes {seconds_per_window * 1000:.0f} ms to "
        f"compute, so the smallest budget is {math.ceil(smallest * 1000 / sample_rate)} ms; use that, fewer "
        f"stems, a smaller model, or a faster device"
    )
