"""Progress of a batch in the terminal: a bar per song, one in total, and the time left."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from rich.markup import escape

from stream_sep.cli.progress_bars import progress_bars
from stream_sep.errors import AudioFileError
from stream_sep.files.song import open_song

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.progress import TaskID

    from stream_sep.files.progress import Progress as SongProgress
    from stream_sep.files.song_separator import Outcome
    from stream_sep.files.tracks import Track

_ESTIMATE_SECONDS = 300.0


class BatchProgress:
    """Shows progress in seconds of music, so that the time left is right for songs of any length.

    Args:
        tracks: the songs.
        console: for the bars; without a terminal only messages are printed.
        errors: console for songs that failed; the same one unless given.
    """

    def __init__(self, tracks: Sequence[Track], console: Console, errors: Console | None = None) -> None:
        self._tracks = tracks
        self._console, self._errors = console, errors or console
        self._seconds = [_seconds(track) for track in tracks]
        self._done = [0.0] * len(tracks)
        self._bars = progress_bars(console, _ESTIMATE_SECONDS)
        self._songs: dict[int, TaskID] = {}
        many = len(tracks) > 1
        self._all = self._bars.add_task("all songs", total=sum(self._seconds), visible=many)

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bars."""
        self._bars.stop()

    @property
    def seconds_done(self) -> float:
        """Seconds of music that are done."""
        return sum(self._done)

    def advance(self, index: int, progress: SongProgress) -> None:
        """Show the progress of a song."""
        if index not in self._songs:
            name = escape(self._tracks[index].path.name)
            self._songs[index] = self._bars.add_task(name, total=self._seconds[index])
        self._done[index] = progress.share * self._seconds[index]
        self._bars.update(self._songs[index], completed=self._done[index])
        self._bars.update(self._all, completed=self.seconds_done)

    def end(self, index: int, outcome: Outcome) -> None:
        """Print the outcome of a song. A skipped or failed one no longer counts for the time left."""
        if outcome.skipped or outcome.error:
            self._seconds[index] = self._done[index] = 0.0
            self._bars.update(self._all, total=sum(self._seconds), completed=self.seconds_done)
        if index in self._songs:
            self._bars.remove_task(self._songs.pop(index))
        console = self._errors if outcome.error else self._console
        console.print(_summary(outcome), markup=False)
        for note in outcome.notes:
            console.print(f"  {note}", markup=False)


def _summary(outcome: Outcome) -> str:
    if outcome.cancelled:
        return f"cancelled: {outcome.track.path}"
    if outcome.error:
        return f"failed: {outcome.error}"
    folders = sorted({str(file.parent) for file in outcome.files})
    names = ", ".join(file.name for file in outcome.files)
    there = "already separated: " if outcome.skipped else ""
    return f"{there}{outcome.track.path} -> {' and '.join(folders)}: {names}"


def _seconds(track: Track) -> float:
    with suppress(AudioFileError):
        return open_song(track.path).seconds
    return 0.0
