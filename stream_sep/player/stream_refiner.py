"""Computes the refined stems of one song from its beginning on, with a separator that is no Demucs model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stream_sep.player.partial_stem_file import PIECE
from stream_sep.player.song_refiner import finished_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.files.stream_pass import StreamingSongModel
    from stream_sep.player.decoded_song import DecodedSong
    from stream_sep.player.partial_stem_file import PartialStemFile
    from stream_sep.protocols import Block, Stems

_BLOCK = 1 << 16


class StreamRefiner:
    """Computes the stems of a song in the order of its frames, wherever the playhead is.

    A streaming separator needs its past, so it begins at the first frame, also where earlier results are there: they
    are replaced by the same.

    Args:
        model: the separator.
        sound: the song at its rate, decoded to its end.
        level: of the song.
        stems: filled with the refined stems.
    """

    def __init__(
        self, model: StreamingSongModel, sound: DecodedSong, level: SongStatistics, stems: PartialStemFile
    ) -> None:
        self._sound, self._stems, self._rate = sound, stems, model.rate_for(0)
        self.frames, self.seconds = stems.frames, 0.0
        self._done, self._gained = 0, 0
        self._made = model.separate(self._blocks(), self._rate, level)

    def close(self) -> None:
        """Close the files."""
        self._sound.close()
        self._stems.close()

    @property
    def speed(self) -> float:
        """Seconds of music per second, by the last step."""
        return self._gained / self._rate / self.seconds if self.seconds else float("inf")

    def step(self, frame: int) -> bool:
        """Compute the next stretch of the song; return whether there was one.

        Args:
            frame: the playhead, which makes no difference.

        Raises:
            AudioFileError: the disk is full.
        """
        del frame
        started = time.monotonic()
        made = next(self._made, None)
        if made is None:
            return False
        first, stems = self._done // PIECE, made[1]
        self._stems.put(self._done, stems)
        self._gained = stems.shape[2]
        self._done += self._gained
        last = len(self._stems.ready) if self._done >= self.frames else self._done // PIECE
        if last > first:
            self._stems.mark(first, last)
        self.seconds = time.monotonic() - started
        return True

    def parts(self) -> Iterator[tuple[Block, Stems]]:
        """Yield the mix and the finished stems from the first frame to the last."""
        return finished_parts(self._sound, self._stems)

    def _blocks(self) -> Iterator[Block]:
        for start in range(0, self.frames, _BLOCK):
            yield self._sound.read(start, min(_BLOCK, self.frames - start))
