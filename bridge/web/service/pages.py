"""The pages: one HTML shell for all of them; the path selects the content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from bridge.web.assets import Assets

SHELL = "service"
PATHS = (
    "/",
    "/login",
    "/signup",
    "/setup",
    "/recover",
    "/reset",
    "/library",
    "/trash",
    "/songs/{song_id}",
    "/s",
    "/settings",
    "/admin",
    "/design",
)


def add_pages(app: FastAPI, assets: Assets) -> None:
    """Add the pages and the files that they load to an application.

    Args:
        app: the application.
        assets: the files, with ``pages/service.html`` among them.
    """

    async def page(_request: Request) -> Response:
        return assets.page(SHELL)

    for path in PATHS:
        app.router.routes.append(Route(path, page))
    app.router.routes.append(Route("/a/{version}/{path:path}", assets.serve))
