"""The sound of one song from a frame on: its mix, and its stems, refined ones where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.player.streamed_stems import LONG_WARM_UP
from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stream_sep.player.decoded_song import SongSound
    from stream_sep.player.song_stems import SongStems
    from stream_sep.player.streamed_stems import RunningStems
    from stream_sep.protocols import Block, Stems

FADE = 2048
"""Frames of the crossfade between the stems of the live separator and refined ones."""

_SPARE = 2048  # frames that may be read at once while a fade still ends in time
_ENTRY = 32768  # frames that must be ready for refined stems to fade in: else they would come and go


class Voice:
    """Reads a song on and on.

    Refined stems are heard where they are ready for long enough, the live separator's elsewhere, and a crossfade
    between them. Both add up to the mix at any frame, so does the crossfade.

    Args:
        running: the live separator; one voice at a time uses it.
        report: is told when refined stems are lost.
    """

    def __init__(self, running: RunningStems, report: Callable[[str], None]) -> None:
        self._running, self._report = running, report
        self._sound: SongSound | None = None
        self._refined: SongStems | None = None
        self._rows: list[int] = []
        self._runs_at = -1  # the frame that `running` gives next, where it is still true
        self._wet = 0  # frames of the crossfade towards refined stems that are done
        self.frame = 0

    def open(self, sound: SongSound, refined: SongStems | None) -> None:
        """Take another song, with refined stems if there are any."""
        self._sound, self._runs_at = sound, -1
        self.refine(refined)

    def refine(self, refined: SongStems | None) -> None:
        """Take other refined stems of the same song; they fade in where they are ready."""
        known = [name for name in self._running.stems if refined is not None and name in refined.stems]
        self._refined = refined if known else None
        self._wet = self._wet if self._refined is not None else 0

    def seek(self, frame: int, warm_up: float = LONG_WARM_UP, give_up: Callable[[], bool] = lambda: False) -> None:
        """Go on from a frame of the song; the live separator warms up as in `RunningStems.seek`."""
        assert self._sound is not None
        self.frame = frame
        self._wet = FADE if self._is_refined(_ENTRY) else 0
        if not self._wet:
            self._running.seek(self._sound, frame, warm_up, give_up)
            self._runs_at = frame

    @property
    def is_live(self) -> bool:
        """Whether the live separator is heard."""
        return self._wet < FADE

    def can_read(self, frames: int) -> bool:
        """Tell whether the next frames are decoded, those that the live separator wants to know ahead included."""
        assert self._sound is not None
        return self._sound.has(self.frame + frames + self._running.reach)

    @property
    def left(self) -> int | None:
        """Frames until the song ends; None while nobody knows."""
        assert self._sound is not None
        frames = self._sound.frames
        return None if frames is None else max(0, frames - self.frame)

    def read(self, frames: int) -> Stems:
        """Return the next frames, ``(1 + stems, 2, frames)``, the mix first; silence behind the end of the song."""
        assert self._sound is not None
        mix = self._sound.read(self.frame, frames)
        stems = self._stems(mix, self._fade(frames))
        self.frame += frames
        return np.concatenate([mix[None], stems])

    def _fade(self, frames: int) -> NDArray[np.float32]:
        """Return how much of the refined stems is heard in each of the next frames."""
        way = 1 if self._is_refined(FADE + _SPARE if self._wet else _ENTRY) else -1
        steps = np.clip(self._wet + way * np.arange(1, frames + 1), 0, FADE)
        self._wet = int(steps[-1])
        return (steps / FADE).astype(np.float32)

    def _is_refined(self, frames: int) -> bool:
        return self._refined is not None and self._refined.ready_until(self.frame) >= self.frame + frames

    def _stems(self, mix: Block, wet: NDArray[np.float32]) -> Stems:
        refined = self._read_refined(mix) if wet.any() else None
        if refined is None:
            return self._read_running(mix.shape[1])
        if wet.all() and wet.min() == 1:
            return refined
        return wet * refined + (1 - wet) * self._read_running(mix.shape[1])

    def _read_running(self, frames: int) -> Stems:
        if self._runs_at != self.frame:
            assert self._sound is not None
            self._running.seek(self._sound, self.frame)
            self._runs_at = self.frame
        self._runs_at += frames
        return self._running.read(frames)

    def _read_refined(self, mix: Block) -> Stems | None:
        assert self._refined is not None
        try:
            found = self._refined.read(self.frame, mix.shape[1])
        except AudioFileError as error:
            self._report(f"{error}; going on with the live separator")
            self._refined, self._wet = None, 0
            return None
        names = self._running.stems
        stems = np.zeros((len(names), *mix.shape), np.float32)
        for row, name in enumerate(names):
            if name in self._refined.stems:
                stems[row] = found[self._refined.stems.index(name)]
        return add_remainder(stems, mix, names)
