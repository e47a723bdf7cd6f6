"""Many songs: one that fails does not stop the rest, and several can be done at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.files.crew import Crew
from stream_sep.files.progress import Progress
from stream_sep.files.song import no_file
from stream_sep.files.song_separator import Outcome, SongSeparator, attempt
from stream_sep.files.tracks import refuse_shared_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream_sep.files.job import SeparationJob
    from stream_sep.files.tracks import Track

_POLL_SECONDS = 0.1


def separate_all(
    tracks: Sequence[Track], job: SeparationJob, report: Callable[[int, Progress], None], *, jobs: int = 1
) -> Iterator[tuple[int, Outcome]]:
    """Do a job for every track; give the outcomes, each with the track's index, as they come.

    Args:
        tracks: the songs.
        job: what to do with each.
        report: told the index of a song and how far it is.
        jobs: songs at once, each in a process with its own copy of the model.

    Raises:
        SeparatorError: the model cannot be loaded.
        ConfigError: the job asks for what the model does not have, ``jobs`` is less than 1, or two songs would get
            the same files.
    """
    if jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, not {jobs}")
    refuse_shared_targets(tracks, job)
    if not any(track.path.exists() for track in tracks):  # or a model would be loaded, perhaps from afar, for nothing
        for index, track in enumerate(tracks):
            yield index, Outcome(track, error=str(no_file(track.path)))
    elif min(jobs, len(tracks)) <= 1:
        separator = SongSeparator(job)
        for index, track in enumerate(tracks):
            yield index, attempt(separator, track, partial(report, index))
    else:
        yield from _in_processes(tracks, job, report, min(jobs, len(tracks)))


def _in_processes(
    tracks: Sequence[Track], job: SeparationJob, report: Callable[[int, Progress], None], size: int
) -> Iterator[tuple[int, Outcome]]:
    with Crew(size) as crew:
        handles = [crew.submit(track, job) for track in tracks]
        indices = {handle: index for index, handle in enumerate(handles)}
        told: dict[int, Progress] = {}
        while indices:
            done = crew.wait(_POLL_SECONDS)
            for handle, index in indices.items():
                progress = crew.progress(handle)
                if told.get(index, Progress()) is not progress and told.get(index) != progress:
                    told[index] = progress
                    report(index, progress)
            if done is None:
                continue
            if done.refusal is not None:  # of the model, so that no song could be done
                raise done.refusal
            assert done.outcome is not None, "it is done"
            yield indices.pop(done), done.outcome
