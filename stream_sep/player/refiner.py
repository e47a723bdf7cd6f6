"""Refined stems for the songs that play: from the cache, or computed by a low-priority process."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.engine.worker.rpc import RpcClient
from stream_sep.errors import AudioFileError
from stream_sep.files.model_identities import ModelIdentityCache
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.stem_cache import DEFAULT_GB, StemCache, remove_partial
from stream_sep.lowlevel.child_process import ChildProcess
from stream_sep.player.partial_stems import drop_partial
from stream_sep.player.song_stems import CachedStems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.player.playlist import LoadedSong

_log = logging.getLogger(__name__)

_MAX_STARTS = 3
_EXIT_TIMEOUT = 1.0  # between the end of its output and that of the process
_WARM_UP_WINDOWS = 2  # the first window of a model is slower than the rest
_MAX_DIGEST_BYTES = 300_000_000  # largest file that is hashed before it plays, in bytes


@dataclass(frozen=True)
class Refinement:
    """The settings of the refinement.

    Attributes:
        settings: the model, as `stream_sep.files` makes stems with it.
        cache_gb: gigabytes that the cache of stems may take.
        download: whether weights that are not here may be downloaded.
    """

    settings: SeparationSettings = field(default_factory=SeparationSettings)
    cache_gb: float = DEFAULT_GB
    download: bool = False


class Refiner:
    """Loads or computes refined stems.

    Args:
        refinement: how.
        rate: frames per second of the playback.
        give: called with a song's number and its refined stems, as `open_stems` reads them.
        report: called with error messages.
        note: called with messages about songs, such as that one ends early.
    """

    def __init__(
        self,
        refinement: Refinement,
        rate: int,
        give: Callable[[int, dict[str, Any]], None],
        report: Callable[[str], None] = _log.warning,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._refinement, self._rate, self._give, self._report = refinement, rate, give, report
        self._note = note
        self._cache = StemCache(limit_gb=refinement.cache_gb)
        self._identities = ModelIdentityCache(self._cache.folder)
        self._process: ChildProcess | None = None
        self._client: RpcClient | None = None
        self._requested: tuple[int, int] | None = None
        self._given: dict[int, dict[str, Any]] = {}
        self._finished: set[int] = set()
        self._starts, self._windows, self._ratio = 0, 0, 1.0
        self._ready, self._gave_up, self._reported_slow = False, False, False
        self._keeping: Path | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Process id of the refiner, if it runs."""
        return None if self._process is None else self._process.pid

    def find(self, song: LoadedSong) -> None:
        """Attach stems from the cache to a song."""
        identity = self._identities.get(self._refinement.settings)
        path = song.song.path
        try:
            if identity is None or path.stat().st_size > _MAX_DIGEST_BYTES:
                return
            files = self._cache.stems_of(f"{song.song.digest}-{identity}")
            stems = CachedStems(files, [file.stem for file in files]) if files else None
        except (OSError, AudioFileError):
            return
        if stems is not None:
            stems.close()
            self._finished.add(song.number)
            song.refined = stems.describe()

    def request(self, song: LoadedSong, frame: int) -> None:
        """Request the stems of a song whose playhead is at ``frame``.

        Args:
            song: the song.
            frame: its playhead.
        """
        if self._gave_up or song.number in self._finished:
            return
        with self._lock:
            if self._client is None:
                self._start()
            if self._ready and self._requested != (song.number, frame) and self._client is not None:
                self._requested = (song.number, frame)
                message = {"number": song.number, "path": str(song.song.path), "scratch": str(song.sound.path)}
                self._client.notify({**message, "frame": round(frame * self._ratio)})

    def has_finished(self, number: int) -> bool:
        """Return whether a song is refined completely, or cannot be."""
        return self._gave_up or number in self._finished

    def stop(self) -> None:
        """End the process."""
        self._stopped.set()
        with self._lock:
            client = self._client
        if client is not None:
            client.close()
            self._sweep()
        for refined in self._given.values():
            if "growing" in refined:
                drop_partial(Path(refined["growing"]))

    def _start(self) -> None:
        self._starts += 1
        self._ready, self._requested = False, None
        # libraries would print over the terminal mixer
        self._process = process = ChildProcess("stream_sep.player.refiner_process", quiet=True)
        self._client = RpcClient(
            process, self._report, on_message=self._take, on_close=lambda: self._on_close(process)
        )
        refinement, settings = self._refinement, asdict(self._refinement.settings)
        settings["repo"] = None if refinement.settings.repo is None else str(refinement.settings.repo)
        settings["options"] = dict(refinement.settings.options)
        spec = {
            "settings": settings,
            "cache_gb": refinement.cache_gb,
            "download": refinement.download,
            "path": sys.path,
        }
        self._client.notify(spec)

    def _on_close(self, process: ChildProcess) -> None:
        process.ended.wait(_EXIT_TIMEOUT)
        code = process.close()
        if not self._stopped.is_set() and not self._gave_up:
            self._on_death(code)

    def _take(self, message: Mapping[str, Any]) -> None:
        if "failed" in message:
            self._give_up(message["failed"])
        elif "identity" in message:
            self._identities.put(self._refinement.settings, message["identity"])
            self._ratio, self._ready = message["rate"] / self._rate, True
        elif "refined" in message:
            self._deliver(message["number"], message["refined"])
        elif "keeping" in message:
            self._keeping = Path(message["keeping"])
        elif "finished" in message:
            self._finished.add(message["number"])
            self._keeping = None
        elif "note" in message:
            self._note(message["note"])
        elif "speed" in message:
            self._report_speed(message["speed"])

    def _give_up(self, why: str) -> None:
        self._gave_up = True
        self._report(f"no refined stems: {why}; playing the live separator's")

    def _deliver(self, number: int, refined: dict[str, Any]) -> None:
        if number not in self._given:
            self._given[number] = refined
            self._give(number, refined)

    def _report_speed(self, speed: float) -> None:
        self._windows += 1
        if speed < 1 and self._windows >= _WARM_UP_WINDOWS and not self._reported_slow:
            self._reported_slow = True
            self._report(
                f"refining runs at {speed:.1f}x real time on this machine; playing live stems where it is behind"
            )

    def _sweep(self) -> None:
        """Delete the unfinished cache files of an ended process."""
        if self._keeping is not None:
            remove_partial(self._keeping)
        self._keeping = None

    def _on_death(self, code: int | None) -> None:
        self._sweep()
        with self._lock:
            self._process = self._client = None
            self._gave_up = self._starts >= _MAX_STARTS
        end = "giving up" if self._gave_up else "restarting it"
        self._report(f"the refining process exited with code {code}: {end}; playback continues")
