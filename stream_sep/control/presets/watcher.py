"""Hot reload: a preset that is edited while the music plays is heard when the editor saves it."""

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
    """Follow the file of a preset, given by its name or as a file; those that ship inside an archive have none.

    Args:
        name: a preset's name, or a file.
        on_change: takes the preset after each edit.
        stems: the separator's stems.
        report: told of edits that cannot be used.

    Returns:
        A context in which the file is followed.
    """
    file = Path(str(list_presets().get(name, name)))
    return PresetWatcher(file, on_change, stems=stems, report=report) if file.is_file() else nullcontext()


class PresetWatcher:
    """Looks at a preset's file now and then; the values stay as they are while the file is broken or gone.

    Args:
        path: the file.
        on_change: takes the preset after each edit, on the watcher's thread; not called for the file as it is now.
        interval: seconds between two looks.
        stems: the separator's stems, so that a stem it lacks is a mistake in the file; None takes any.
        report: takes a sentence about an edit that cannot be used, once for each.
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
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; harmless when never started."""
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

    def look(self) -> None:
        """Hand on the preset if the file has changed since the last look."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:  # editors take a file away for a moment
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
            self.look()
