"""Reads one song from a frame on: its mix and its stems, refined where they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.player.streamed_stems import LONG_WARM_UP
from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stream_sep.player.decoded_song import DecodedSong
    from stream_sep.player.song_stems import SongStems
    from stream_sep.player.streamed_stems import StreamedStems
    from stream_sep.protocols import Block, Stems

FADE = 2048
"""Frames of the crossfade between the stems of the live separator and refined ones."""

_SPARE = 2048  # frames that may be read at once while a fade still ends in time
_ENTRY = 32768  # frames that must be ready before refined stems fade in, against flicker


class StemReader:
    """Reads a song's mix and stems sequentially.

    Refined stems are used where they are ready for long enough, the live separator's elsewhere, with a crossfade
    between them. Both add up to the mix at every frame, and so does the crossfade.

    Args:
        streamed: the live separator; one voice at a time uses it.
        report: called with a message when refined stems are lost.
    """

    def __init__(self, streamed: StreamedStems, report: Callable[[str], None]) -> None:
        self._streamed, self._report = streamed, report
        self._sound: DecodedSong | None = None
        self._refined: SongStems | None = None
        self._rows: list[int] = []
        self._runs_at = -1  # the frame that `streamed` gives next, where it is still true
        self._refined_frames = 0  # frames of the crossfade towards refined stems that are done
        self.frame = 0

    def open(self, sound: DecodedSong, refined: SongStems | None) -> None:
        """Switch to another song, with refined stems if any.

        Args:
            sound: the decoded song.
            refined: its refined stems, or None.
        """
        self._sound, self._runs_at = sound, -1
        self.refine(refined)

    def refine(self, refined: SongStems | None) -> None:
        """Replace the refined stems of the same song; they fade in where they are ready."""
        known = [name for name in self._streamed.stems if refined is not None and name in refined.stems]
        self._refined = refined if known else None
        self._refined_frames = self._refined_frames if self._refined is not None else 0

    def seek(
        self, frame: int, warm_up_seconds: float = LONG_WARM_UP, should_cancel: Callable[[], bool] = lambda: False
    ) -> None:
        """Continue from a frame of the song; the live separator warms up as in `StreamedStems.seek`.

        Args:
            frame: the next frame to read.
            warm_up_seconds: audio before ``frame`` that warms up the live separator.
            should_cancel: polled during the warm-up.
        """
        assert self._sound is not None
        self.frame = frame
        self._refined_frames = FADE if self._is_refined(_ENTRY) else 0
        if not self._refined_frames:
            self._streamed.seek(self._sound, frame, warm_up_seconds, should_cancel)
            self._runs_at = frame

    @property
    def is_live(self) -> bool:
        """Whether the live separator contributes to the output."""
        return self._refined_frames < FADE

    def can_read(self, frames: int) -> bool:
        """Return whether the next frames are decoded, including the live separator's look-ahead."""
        assert self._sound is not None
        return self._sound.has(self.frame + frames + self._streamed.reach)

    @property
    def left(self) -> int | None:
        """Frames until the song ends; None while its length is unknown."""
        assert self._sound is not None
        frames = self._sound.frames
        return None if frames is None else max(0, frames - self.frame)

    def read(self, frames: int) -> Stems:
        """Return the next frames, ``(1 + stems, 2, frames)``, the mix first; silence after the end of the song."""
        assert self._sound is not None
        mix = self._sound.read(self.frame, frames)
        stems = self._stems(mix, self._fade(frames))
        self.frame += frames
        return np.concatenate([mix[None], stems])

    def _fade(self, frames: int) -> NDArray[np.float32]:
        """Return the gain of the refined stems for each of the next frames."""
        way = 1 if self._is_refined(FADE + _SPARE if self._refined_frames else _ENTRY) else -1
        steps = np.clip(self._refined_frames + way * np.arange(1, frames + 1), 0, FADE)
        self._refined_frames = int(steps[-1])
        return (steps / FADE).astype(np.float32)

    def _is_refined(self, frames: int) -> bool:
        return self._refined is not None and self._refined.ready_until(self.frame) >= self.frame + frames

    def _stems(self, mix: Block, refined_gain: NDArray[np.float32]) -> Stems:
        refined = self._read_refined(mix) if refined_gain.any() else None
        if refined is None:
            return self._read_running(mix.shape[1])
        if refined_gain.all() and refined_gain.min() == 1:
            return refined
        return refined_gain * refined + (1 - refined_gain) * self._read_running(mix.shape[1])

    def _read_running(self, frames: int) -> Stems:
        if self._runs_at != self.frame:
            assert self._sound is not None
            self._streamed.seek(self._sound, self.frame)
            self._runs_at = self.frame
        self._runs_at += frames
        return self._streamed.read(frames)

    def _read_refined(self, mix: Block) -> Stems | None:
        assert self._refined is not None
        try:
            found = self._refined.read(self.frame, mix.shape[1])
        except AudioFileError as error:
            self._report(f"{error}; continuing with the live separator")
            self._refined, self._refined_frames = None, 0
            return None
        names = self._streamed.stems
        stems = np.zeros((len(names), *mix.shape), np.float32)
        for row, name in enumerate(names):
            if name in self._refined.stems:
                stems[row] = found[self._refined.stems.index(name)]
        return add_remainder(stems, mix, names)
