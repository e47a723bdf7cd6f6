"""The ASGI application of the service."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from fastapi import FastAPI

from bridge.web.assets import Assets
from bridge.web.security import HostCheck, OriginCheck, SecurityHeaders, own_hosts
from bridge.web.service.api_schema import complete_schema
from bridge.web.service.content_types import JsonOnly
from bridge.web.service.error_handlers import ERROR_HANDLERS
from bridge.web.service.events import EventFeed
from bridge.web.service.metrics import RequestTimes
from bridge.web.service.pages import add_pages
from bridge.web.service.responses import ProblemBody
from bridge.web.service.routes import (
    admin,
    events,
    jobs,
    media,
    mixes,
    server,
    session,
    shares,
    songs,
    uploads,
    users,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bridge.web.service.context import Service

API = "/api/v1"
_THREADS = 100
_COMPLETING = 8  # uploads that threads look at, of which the sandbox reads two at once; others wait without a thread
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemBody, "description": "RFC 9457: what happened, and what to try"},
    "5XX": {"model": ProblemBody, "description": "the same; 503 is a busy server, 507 a full disk"},
}
_DESCRIPTION = """Separate songs into stems, play and download them.

Programs send `Authorization: Bearer sst_...`, a token made on the settings page. Errors are RFC 9457 problems."""


class _App(FastAPI):
    """An application whose description is complete."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        if self.openapi_schema is None:
            self.openapi_schema = complete_schema(super().openapi())
        return self.openapi_schema


def make_app(service: Service) -> FastAPI:
    """Return the application for a service.

    Args:
        service: made by `open_service`; the caller closes it.
    """
    app = _App(
        title="stream_sep",
        version="1",
        description=_DESCRIPTION,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        responses=_PROBLEMS,
        redirect_slashes=False,
        exception_handlers=ERROR_HANDLERS,
    )
    app.state.service, app.state.feed, app.state.request_times = service, EventFeed(service), RequestTimes()
    app.state.completing = asyncio.Semaphore(_COMPLETING)
    parts = (server.public, session.router, users.router, uploads.router, songs.router, jobs.router, mixes.router)
    media_parts = (media.make_router("owner"), shares.router, media.make_router("share"))
    for router in (*parts, *media_parts, admin.router, events.router):
        app.include_router(router, prefix=API)
    app.include_router(server.probes)
    app.state.assets = assets = Assets()
    add_pages(app, assets)
    # the last added sees a request first
    app.add_middleware(JsonOnly)
    app.add_middleware(OriginCheck)
    app.add_middleware(HostCheck, hosts=own_hosts(service.config.host) | set(service.config.public_hosts))
    app.add_middleware(_Timing, times=app.state.request_times)
    return app


def make_site(service: Service) -> ASGIApp:
    """Return the application with the headers of every response, also to exceptions."""
    app = make_app(service)
    return SecurityHeaders(app, app.state.assets.policy, https=service.config.https)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # threads mostly wait for hashes, decoders and disks: with few of them, others would wait too
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "service"))
    feed = asyncio.create_task(app.state.feed.run())
    try:
        yield
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)


class _Timing:
    def __init__(self, app: ASGIApp, times: RequestTimes) -> None:
        self._app, self._times = app, times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def timed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, timed_send)
        finally:
            self._times.add(status, time.perf_counter() - started)
