"""Jobs: work on songs."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.web.problems import Problem, not_found
from bridge.web.service import queue, queue_events
from bridge.web.service.dependencies import KnownCaller, ServiceOf
from bridge.web.service.downloads import FILE, attachment
from bridge.web.service.requests import MoveJob
from bridge.web.service.responses import JobBody
from bridge.web.service.sessions import Caller
from bridge.web.service.songs_view import job_body
from bridge.web.service.tables import Job, Song

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", operation_id="listJobs")
def list_jobs(service: ServiceOf, caller: KnownCaller) -> list[JobBody]:
    """List the waiting and running jobs, in their order."""
    query = select(Job).where(Job.user_id == caller.user.id, Job.state.in_(queue.ACTIVE)).order_by(Job.place, Job.id)
    with service.database.read() as session:
        return [job_body(job, queue_events.position(session, job)) for job in session.scalars(query).all()]


@router.get("/{job_id}", operation_id="readJob")
def read_job(service: ServiceOf, job_id: str, caller: KnownCaller) -> JobBody:
    """Return a job."""
    with service.database.read() as session:
        job = _own_job(session, caller, job_id)
        return job_body(job, queue_events.position(session, job))


@router.post("/{job_id}/cancel", operation_id="cancelJob")
def cancel_job(service: ServiceOf, job_id: str, caller: KnownCaller) -> JobBody:
    """Cancel a job: at once if it waits, within moments if it runs; one that has ended is unchanged."""
    with service.database.write() as session:
        _own_job(session, caller, job_id)
        job = queue.cancel(service, session, job_id)
        if job is None:
            raise not_found("job")
        return job_body(job, queue_events.position(session, job))


@router.post("/{job_id}/move", operation_id="moveJob")
def move_job(service: ServiceOf, job_id: str, body: MoveJob, caller: KnownCaller) -> JobBody:
    """Move a waiting job among one's own; other accounts wait as long as before."""
    with service.database.write() as session:
        job = _own_job(session, caller, job_id)
        if job.state != "queued":
            raise Problem(409, "not-waiting", f"This job is {job.state}.", "Only one that waits can be moved.")
        queue.move(service, session, job, body.to)
        return job_body(job, queue_events.position(session, job))


@router.post("/{job_id}/retry", operation_id="retryJob", status_code=202)
def retry_job(service: ServiceOf, job_id: str, caller: KnownCaller) -> JobBody:
    """Queue a failed or cancelled job again."""
    with service.database.write() as session:
        job = _own_job(session, caller, job_id)
        if job.state not in {"failed", "cancelled"}:
            raise Problem(
                409, "not-ended", f"This job is {job.state}.", "Only one that failed or was cancelled is tried again."
            )
        again = queue.enqueue(service, session, session.get_one(Song, job.song_id), job.kind, dict(job.settings))
        return job_body(again, queue_events.position(session, again))


@router.get("/{job_id}/file", operation_id="readMixFile", response_class=FileResponse, responses=FILE)
def read_mix_file(service: ServiceOf, job_id: str, caller: KnownCaller) -> Response:
    """Download a rendered mix; it is kept for a day."""
    with service.database.read() as session:
        job = _own_job(session, caller, job_id)
        song = session.get_one(Song, job.song_id)
    path = service.data.mix(song.id, job.result)
    if job.kind != "mix" or not job.result or not path.is_file():
        raise not_found("file")
    return attachment(path, f"{song.title} (mix){path.suffix}")


def _own_job(session: Session, caller: Caller, job_id: str) -> Job:
    job = session.get(Job, job_id)
    if job is None or job.user_id != caller.user.id or session.get_one(Song, job.song_id).state == "deleting":
        raise not_found("job")
    return job
