"""Songs and jobs as JSON."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from bridge.web.service.dependencies import iso
from bridge.web.service.responses import JobBody, SongBody

if TYPE_CHECKING:
    from bridge.web.service.tables import Job, Song

PIECE_SECONDS = 2
"""Length of a piece; a whole number of frames at 44.1 and 48 kHz."""


def job_body(job: Job, position: int | None) -> JobBody:
    """Return a job; ``position`` is its place in the queue.

    Args:
        job: the job.
        position: its place in the queue.
    """
    return JobBody(
        id=job.id,
        song_id=job.song_id,
        kind=cast("Any", job.kind),
        state=cast("Any", job.state),
        stage=job.stage,
        share=round(job.share, 4),
        position=position,
        seconds_left=job.seconds_left,
        frames_ready=job.frames_ready,
        error=job.error,
        created=iso(job.created),
        started=iso(job.started),
        ended=iso(job.ended),
        download=f"/api/v1/jobs/{job.id}/file" if job.kind == "mix" and job.state == "done" else None,
    )


def song_body(song: Song, job: Job | None, position: int | None = None) -> SongBody:
    """Return a song with its newest separation.

    Args:
        song: the song.
        job: the job.
        position: its place in the queue.
    """
    return SongBody(
        id=song.id,
        title=song.title,
        artist=song.artist,
        album=song.album,
        file_name=song.file_name,
        state=cast("Any", song.state),
        error=song.error,
        seconds=song.seconds,
        sample_rate=song.sample_rate,
        frames=song.frames,
        piece_frames=PIECE_SECONDS * song.sample_rate,
        stems_version=stems_version(song),
        stems=song.stems,
        model=song.model,
        bytes=song.bytes,
        cover=song.cover,
        created=iso(song.created),
        deleted=iso(song.deleted),
        etag=etag(song),
        job=job_body(job, position) if job is not None else None,
    )


def stems_version(song: Song) -> str:
    """Return an opaque text that changes when a song is separated again; empty before it is ready."""
    return hashlib.blake2b(song.job_id.encode(), digest_size=6).hexdigest() if song.job_id else ""


def etag(song: Song) -> str:
    """Return a tag that changes with a song's texts."""
    return f'"{song.version}"'
