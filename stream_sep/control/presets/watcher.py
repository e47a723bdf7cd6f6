"""Hot reload: a preset that is edited during playback is applied when its file is saved."""

from __future__ import annotations

import logging
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stream_sep.control.presets.library import list_presets, load_preset
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from stream_sep.control.presets.preset import Preset

_log = logging.getLogger(__name__)


def follow_preset(
    name: str, on_change: Callable[[Preset], object], stems: tuple[str, ...], report: Callable[[str], None]
) -> AbstractContextManager[object]:
    """Watch the file of a preset, given by its name or as a file; presets inside an archive are not watched.

    Args:
        name: a preset's name, or a file.
        on_change: callback that receives the preset after each edit.
        stems: the separator's stems.
        report: callback that receives a message about each invalid edit.

    Returns:
        A context in which the file is watched.
    """
    file = Path(str(list_presets().get(name, name)))
    return PresetWatcher(file, on_change, stems=stems, report=report) if file.is_file() else nullcontext()


class PresetWatcher:
    """Polls the file of a preset; the values are kept while the file is invalid or missing.

    Args:
        path: the file.
        on_change: callback that receives the preset after each edit, on the watcher's thread.
        interval: seconds between two polls.
        stems: the separator's stems, so that unknown stems are reported; None accepts any.
        report: callback that receives a message about each invalid edit.
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[Preset], object],
        interval: float = 0.5,
        *,
        stems: tuple[str, ...] | None = None,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        self._path = path
        self._on_change = on_change
        self._interval = interval
        self._stems = stems
        self._report = report
        self._seen = self._stamp()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preset watcher", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; harmless when never started."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def poll(self) -> None:
        """Load the preset and call ``on_change`` if the file has changed since the last call."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:  # editors remove a file for a moment
            return
        self._seen = stamp
        try:
            self._on_change(load_preset(str(self._path.absolute()), stems=self._stems))
        except StreamSepError as error:
            self._report(f"{error}; the values stay as they were")
        except Exception:  # noqa: BLE001 - whatever is done with a preset, the next edit is looked at
            _log.exception("the change of %s could not be applied", self._path)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            self.poll()
