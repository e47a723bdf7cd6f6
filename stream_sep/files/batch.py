"""Batches of songs: a failed one does not stop the others, and several can run in parallel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.files.crew import Crew
from stream_sep.files.separator_settings import check_settings
from stream_sep.files.song import no_file
from stream_sep.files.song_separator import Outcome, SongSeparator, attempt
from stream_sep.files.tracks import refuse_shared_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream_sep.files.job import SeparationJob
    from stream_sep.files.progress import Progress
    from stream_sep.files.tracks import Track

_POLL_SECONDS = 0.1


def separate_all(
    tracks: Sequence[Track], job: SeparationJob, report: Callable[[int, Progress], None], *, jobs: int = 1
) -> Iterator[tuple[int, Outcome]]:
    """Do a job for every track; yield the outcomes, each with the track's index, as they complete.

    Args:
        tracks: the songs.
        job: the job for each.
        report: callback that receives a song's index and its progress.
        jobs: songs in parallel, each in a process with its own copy of the model.

    Raises:
        SeparatorError: the model cannot be loaded.
        ConfigError: the job needs a stem that the model does not have, ``jobs`` is less than 1, two songs would get
            the same files, or a setting is given that the model does not use.
    """
    if jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, not {jobs}")
    check_settings(job.settings)
    refuse_shared_targets(tracks, job)
    if not any(track.path.exists() for track in tracks):  # else a model would be loaded, or downloaded, in vain
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
        reported: dict[int, Progress] = {}
        while indices:
            done = crew.wait(_POLL_SECONDS)
            for handle, index in indices.items():
                progress = crew.progress(handle)
                if reported.get(index) != progress:
                    reported[index] = progress
                    report(index, progress)
            if done is None:
                continue
            if done.refusal is not None:  # of the model, so that no song could be done
                raise done.refusal
            assert done.outcome is not None, "it is done"
            yield indices.pop(done), done.outcome
