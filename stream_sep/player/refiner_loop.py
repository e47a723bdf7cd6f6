"""Refines songs one after the other, as requested, in the refiner process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError, StreamSepError, reason
from stream_sep.files.demucs_pass import DemucsSongModel
from stream_sep.files.model_identities import bundled_version
from stream_sep.files.song import open_song
from stream_sep.files.song_statistics import SongStatistics, measure_song
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.player.decoded_song import DecodedSong, DecodedSongWriter
from stream_sep.player.partial_stems import PartialStems
from stream_sep.player.song_refiner import SongRefiner
from stream_sep.player.song_stems import CachedStems
from stream_sep.player.stream_refiner import StreamRefiner

if TYPE_CHECKING:
    import queue

    from stream_sep.engine.worker.rpc import RpcServer
    from stream_sep.files.song_models import SongModel
    from stream_sep.files.stem_cache import StemCache
    from stream_sep.player.partial_stem_file import PartialStemFile

_MAX_BYTES = 8e9  # limit of partial stems on disk, in bytes: about two hours


@dataclass(frozen=True)
class Task:
    """A song to refine.

    Attributes:
        number: the song's number in the playlist.
        path: its file.
        scratch: prefix of temporary files for this song.
        frame: the playhead, at the model's sample rate.
    """

    number: int
    path: str
    scratch: str
    frame: int


class RefinerLoop:
    """Refines songs one after the other, as requested.

    Args:
        model: the networks.
        cache: receives finished songs.
        server: sends the results to the parent.
        tasks: requests; only the newest counts.
    """

    def __init__(self, model: SongModel, cache: StemCache, server: RpcServer, tasks: queue.SimpleQueue[Task]) -> None:
        self._model, self._cache, self._server, self._tasks = model, cache, server, tasks
        self._identity = identity_of(model)
        self._done: set[int] = set()
        self._song: tuple[int, SongRefiner | StreamRefiner, str] | None = None
        self._partial: PartialStems | None = None

    def run(self) -> None:
        """Refine until the process ends."""
        task = self._tasks.get()
        while True:
            task = self._newest(task, wait=task.number in self._done)
            if task.number in self._done:
                continue
            self._try_step(task)

    def work(self, task: Task) -> None:
        """Refine one song to its end."""
        while task.number not in self._done:
            self._try_step(task)

    def close(self) -> None:
        """Close the current song."""
        if self._song is not None:
            self._song[1].close()
        if self._partial is not None:
            self._partial.close()
        self._song = self._partial = None

    def _newest(self, task: Task, *, wait: bool) -> Task:
        if wait:
            task = self._tasks.get()
        while not self._tasks.empty():
            task = self._tasks.get()
        return task

    def _try_step(self, task: Task) -> None:
        try:
            self._step(task)
        except (StreamSepError, OSError) as error:
            self._server.report(f"cannot refine {task.path}: {reason(error)}")
            self._finish(task)

    def _step(self, task: Task) -> None:
        if (self._song is None or self._song[0] != task.number) and not self._begin(task):
            self._finish(task)
            return
        assert self._song is not None
        _, refiner, key = self._song
        if refiner.step(task.frame):
            self._server.send({"number": task.number, "speed": refiner.speed, "frame": task.frame})
            return
        self._server.send({"keeping": str(self._cache.folder / key)})
        self._keep(refiner, key, task.path)
        self._finish(task)

    def _finish(self, task: Task) -> None:
        self._done.add(task.number)
        self._server.send({"number": task.number, "finished": True})

    def _begin(self, task: Task) -> bool:
        """Load cached stems of a song, or start computing them; return whether there is anything to compute."""
        self.close()
        song, rate, stems = open_song(Path(task.path)), self._model.rate_for(0), self._model.stems
        key = f"{song.digest}-{self._identity}"
        writer = DecodedSongWriter(Path(f"{task.scratch}.model"))
        blocks = writer.passing(song.blocks(rate, lambda note: self._server.send({"note": note})))
        level = measure_song(blocks, self._model.stft_size)
        if not level.frames or level.peak == 0.0:  # networks turn silence into faint noise
            return False
        kept = self._cache.find(key, stems, rate, level.frames)
        if kept is not None:
            self._give(task, CachedStems(kept, stems))
            return False
        if 8 * len(stems) * level.frames > _MAX_BYTES:
            raise AudioFileError(f"it is too long, {level.frames / rate / 60:.0f} minutes")
        self._partial = PartialStems(
            self._cache, key, Path(task.path), stems, level.frames, Path(f"{task.scratch}.stems")
        )
        growing = self._partial.stems
        self._song = task.number, self._refiner(DecodedSong(writer.path), level, growing), key
        self._give(task, growing)
        return True

    def _refiner(
        self, sound: DecodedSong, level: SongStatistics, stems: PartialStemFile
    ) -> SongRefiner | StreamRefiner:
        if isinstance(self._model, StreamingSongModel):
            return StreamRefiner(self._model, sound, level, stems)
        assert isinstance(self._model, DemucsSongModel), "there are two kinds"
        return SongRefiner(self._model, sound, level, stems)

    def _give(self, task: Task, stems: CachedStems | PartialStemFile) -> None:
        described = {**stems.describe(), "rate": self._model.rate_for(0)}
        self._server.send({"number": task.number, "refined": described})

    def _keep(self, refiner: SongRefiner | StreamRefiner, key: str, path: str) -> None:
        kept = self._cache.tee(
            refiner.parts(),
            key,
            Path(path),
            stems=self._model.stems,
            rate=self._model.rate_for(0),
            frames=refiner.frames,
            warn=lambda why: self._server.report(f"of {path} {why}"),
        )
        for _ in kept:
            pass


def identity_of(model: SongModel) -> str:
    """Return the identity of a model's stems; of a bundled one, that of this version and of its settings."""
    if model.cache_key or not isinstance(model, StreamingSongModel):
        return model.cache_key
    text = f"{bundled_version()} {model.settings.fingerprint()}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
