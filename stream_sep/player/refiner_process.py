"""What the process that refines stems does: loads the best model, and computes what will be heard next."""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.engine.worker.rpc import RpcServer
from stream_sep.errors import AudioFileError, SeparatorError, StreamSepError
from stream_sep.files.demucs_pass import DemucsSongModel
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song import measure_song, open_song
from stream_sep.files.song_models import load_song_model
from stream_sep.files.stem_cache import StemCache
from stream_sep.player.decoded_song import SongSound, SongWriter
from stream_sep.player.partial_stems import BegunStems
from stream_sep.player.song_refiner import SongRefiner
from stream_sep.player.song_stems import GrowingStems, KeptStems

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORBIDDEN = "nobody asked for a download"
_LARGEST = 8e9  # bytes of stems that may lie beside the decoded song while it plays: about two hours
_NICE = 19  # whatever else the machine does goes first


@dataclass(frozen=True)
class Task:
    """A song to refine.

    Attributes:
        number: the song's number in the playlist.
        path: its file.
        scratch: where a file can be made beside which others of this song lie.
        frame: the frame that is heard, at the rate of the networks.
    """

    number: int
    path: str
    scratch: str
    frame: int


def main() -> None:
    """Be the process: load the model, say so, refine what is asked for until standard input ends."""
    server = RpcServer()
    spec = server.receive()
    if "settings" not in spec:
        return
    sys.path[:] = spec["path"]
    with suppress(AttributeError, OSError):
        os.nice(_NICE)
    try:
        maker = load_maker(spec)
    except StreamSepError as error:
        server.send({"failed": str(error)})
        return
    except Exception as error:  # noqa: BLE001 - a model can fail in any way; the user gets one sentence
        server.send({"failed": f"the model {spec['settings']['model']!r} failed: {type(error).__name__}: {error}"})
        return
    server.send({"identity": maker.cache_key, "rate": maker.rate_for(0), "stems": list(maker.stems)})
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(server, tasks), daemon=True).start()
    Refinery(maker, StemCache(limit_gb=spec["cache_gb"]), server, tasks).run()


def load_maker(spec: Mapping[str, Any]) -> DemucsSongModel:
    """Load the networks that a first message asks for.

    Raises:
        SeparatorError: they cannot be had, or it is no model of that kind.
    """
    if not spec["download"]:
        _forbid_downloads()
    fields = spec["settings"]
    settings = SeparationSettings(**{**fields, "repo": Path(fields["repo"]) if fields["repo"] else None})
    try:
        maker = load_song_model(settings)
    except SeparatorError as error:
        if _FORBIDDEN not in str(error):
            raise
        sentence = (
            f"the weights of {settings.model!r} are not on this machine; --refined-model {settings.model} gets them"
        )
        raise SeparatorError(sentence) from error
    if not isinstance(maker, DemucsSongModel):
        raise SeparatorError(
            f"{settings.model!r} is no model to refine with; say --refined-model htdemucs, or --no-refine"
        )
    return maker


def _forbid_downloads() -> None:
    """Let nothing be downloaded that nobody asked for: both ways of Demucs to get weights then fail."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    with suppress(ImportError):
        import torch.hub  # noqa: PLC0415 - heavy, and only here when a model is

        def refuse(*_: object, **__: object) -> None:
            raise OSError(_FORBIDDEN)

        torch.hub.download_url_to_file = refuse


def _listen(server: RpcServer, tasks: queue.SimpleQueue[Task]) -> None:
    while "closed" not in (message := server.receive()):
        tasks.put(Task(**message))
    os._exit(0)


class Refinery:
    """Works at one song after the other, as they are asked for.

    Args:
        maker: the networks.
        cache: takes finished songs.
        server: sends what there is to the parent.
        tasks: what is asked for; the newest counts.
    """

    def __init__(
        self, maker: DemucsSongModel, cache: StemCache, server: RpcServer, tasks: queue.SimpleQueue[Task]
    ) -> None:
        self._maker, self._cache, self._server, self._tasks = maker, cache, server, tasks
        self._done: set[int] = set()
        self._song: tuple[int, SongRefiner, str] | None = None
        self._begun: BegunStems | None = None

    def run(self) -> None:
        """Refine without end."""
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
        """Let go of the song."""
        if self._song is not None:
            self._song[1].close()
        if self._begun is not None:
            self._begun.close()
        self._song = self._begun = None

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
            self._done.add(task.number)
            self._server.report(f"no more refined stems of {task.path}: {error}")
            self._server.send({"number": task.number, "finished": True})

    def _step(self, task: Task) -> None:
        if (self._song is None or self._song[0] != task.number) and not self._begin(task):
            self._done.add(task.number)
            self._server.send({"number": task.number, "finished": True})
            return
        assert self._song is not None
        _, refiner, key = self._song
        if refiner.step(task.frame):
            self._server.send({"number": task.number, "speed": refiner.speed, "frame": task.frame})
            return
        self._done.add(task.number)
        self._server.send({"keeping": str(self._cache.folder / key)})
        self._keep(refiner, key, task.path)
        self._server.send({"number": task.number, "finished": True})

    def _begin(self, task: Task) -> bool:
        """Find the stems of a song, or begin to make them; return whether there is anything to make."""
        self.close()
        song, rate, stems = open_song(Path(task.path)), self._maker.rate_for(0), self._maker.stems
        key = f"{song.digest}-{self._maker.cache_key}"
        writer = SongWriter(Path(f"{task.scratch}.model"))
        level = measure_song(writer.passing(song.blocks(rate)))
        if not level.frames or level.peak == 0.0:  # of silence, networks make a faint noise
            return False
        kept = self._cache.find(key, stems, rate, level.frames)
        if kept is not None:
            self._give(task, KeptStems(kept, stems))
            return False
        if 8 * len(stems) * level.frames > _LARGEST:
            raise AudioFileError(f"it is too long, {level.frames / rate / 60:.0f} minutes")
        self._begun = BegunStems(
            self._cache, key, Path(task.path), stems, level.frames, Path(f"{task.scratch}.stems")
        )
        growing = self._begun.stems
        self._song = task.number, SongRefiner(self._maker, SongSound(writer.path), level, growing), key
        self._give(task, growing)
        return True

    def _give(self, task: Task, stems: KeptStems | GrowingStems) -> None:
        described = {**stems.describe(), "rate": self._maker.rate_for(0)}
        self._server.send({"number": task.number, "refined": described})

    def _keep(self, refiner: SongRefiner, key: str, path: str) -> None:
        kept = self._cache.tee(
            refiner.parts(),
            key,
            Path(path),
            stems=self._maker.stems,
            rate=self._maker.rate_for(0),
            frames=refiner.frames,
            warn=lambda why: self._server.report(f"of {path} {why}"),
        )
        for _ in kept:
            pass
