"""Mixes of the player."""

from __future__ import annotations

from fastapi import APIRouter

from bridge.web.problems import Problem
from bridge.web.service import queue, queue_events
from bridge.web.service.dependencies import KnownCaller, ServiceOf, own_song
from bridge.web.service.disk import require_mix_room
from bridge.web.service.downloads import not_whole
from bridge.web.service.requests import NewMix
from bridge.web.service.responses import JobBody
from bridge.web.service.songs_view import job_body

router = APIRouter(prefix="/songs", tags=["songs"])


@router.post("/{song_id}/mixes", operation_id="renderMix", status_code=202)
def render_mix(service: ServiceOf, song_id: str, body: NewMix, caller: KnownCaller) -> JobBody:
    """Render a mix of the stems to a file, as a job; its `download` is kept for a day."""
    with service.database.write() as session:
        song = own_song(session, caller, song_id)
        if song.job_id is None:
            raise not_whole()
        unknown = [stem for stem in body.strips if stem not in song.stems]
        if unknown:
            stems = ", ".join(song.stems)
            raise Problem(422, "unknown-stem", f"This song has no stem {unknown[0][:40]!r}.", f"It has: {stems}.")
        end = min(body.end_frame or song.frames, song.frames)
        if body.first_frame >= end:
            raise Problem(422, "empty-region", f"There are no frames between {body.first_frame} and {end}.")
        settings = {**body.model_dump(), "end_frame": end, "stems_of": song.job_id}
        require_mix_room(service, session, song.user_id, end - body.first_frame)
        job = queue.enqueue(service, session, song, "mix", settings)
        return job_body(job, queue_events.position(session, job))
