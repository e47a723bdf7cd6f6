"""Public information on a server, and its health checks."""

from __future__ import annotations

import shutil

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from bridge.web.problems import not_found
from bridge.web.service.accounts import has_users
from bridge.web.service.catalog import model_bodies
from bridge.web.service.config import package_version
from bridge.web.service.demo import demo_song
from bridge.web.service.dependencies import AnyCaller, ServiceOf, address_of
from bridge.web.service.metrics import metrics_text, problems_of
from bridge.web.service.passwords import MIN_LENGTH
from bridge.web.service.responses import ModelBody, ServerBody

public = APIRouter(tags=["server"])
probes = APIRouter(tags=["server"])

FORMATS = ("flac", "wav", "mp3", "ogg")


@public.get("/server", operation_id="readServer")
def read_server(service: ServiceOf, caller: AnyCaller) -> ServerBody:
    """Return what a page needs before log-in."""
    with service.database.read() as session:
        limits = service.limits(session)
        return ServerBody(
            name="stream_sep",
            version=package_version(),
            sign_up=limits.sign_up,
            needs_setup=not has_users(session),
            min_password=MIN_LENGTH,
            max_upload_bytes=limits.max_upload_bytes,
            max_song_seconds=limits.max_song_seconds,
            trash_days=limits.trash_days,
            default_model=service.config.model,
            models=model_bodies(service.config, session),
            formats=[*FORMATS, *(["stem.mp4"] if shutil.which("ffmpeg") else [])],
            demo=demo_song(session) is not None,
            logged_in=caller is not None,
        )


@public.get("/models", operation_id="listModels")
def list_models(service: ServiceOf) -> list[ModelBody]:
    """List the models that songs can be separated with."""
    with service.database.read() as session:
        return model_bodies(service.config, session)


@probes.get("/healthz", include_in_schema=False)
async def healthz() -> PlainTextResponse:
    """Return 200 while the process is alive; it needs no thread, as all may be busy."""
    return PlainTextResponse("ok\n")


@probes.get("/readyz", include_in_schema=False)
def readyz(service: ServiceOf) -> Response:
    """Return whether songs can be accepted and separated: database, disk, migrations, workers."""
    found = problems_of(service)
    return PlainTextResponse("\n".join(found or ["ok"]) + "\n", 503 if found else 200)


@probes.get("/metrics", include_in_schema=False)
def metrics(service: ServiceOf, request: Request, caller: AnyCaller) -> Response:
    """Return metrics for Prometheus, to this machine and to admins; no titles, no names."""
    if address_of(request) not in {"127.0.0.1", "::1"} and not (caller is not None and caller.user.admin):
        raise not_found()
    return PlainTextResponse(
        metrics_text(service, request.app.state.request_times), media_type="text/plain; version=0.0.4"
    )
