"""The WebSocket of events for open pages."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from bridge.web.service.context import Service
from bridge.web.service.dependencies import service_of
from bridge.web.service.events import EventFeed, Notice, can_resume, events_after, last_seq
from bridge.web.service.sessions import Caller, identify, is_alive

router = APIRouter(tags=["events"])

_CHECK_SECONDS = 5.0
_ENDED, _RESTARTING = 4401, 1001


@router.websocket("/events")
async def events(socket: WebSocket, after: Annotated[int | None, Query(ge=0)] = None) -> None:
    """Send an account's events, starting after number ``after``.

    The first message is ``{"seq": N, "kind": "hello", "body": {"reset": false}}``; with ``reset`` true, the events
    after ``after`` are no longer available, and the page has to reload its lists.
    """
    service, feed = service_of(socket), socket.app.state.feed
    caller = await asyncio.to_thread(identify, service, socket.headers, socket.cookies)
    await socket.accept()
    if caller is None:  # browsers get the code of an accepted socket only
        await socket.close(_ENDED, "log in")
        return
    sender = asyncio.create_task(_send(service, feed, caller, socket, after))
    try:
        await _drain(socket, sender)
    finally:
        sender.cancel()
        await asyncio.wait({sender})  # not gather: its CancelledError lacks what AnyIO recognizes its own by


async def _drain(socket: WebSocket, sender: asyncio.Task[None]) -> None:
    """Read until the page disconnects; its messages are ignored, but keep proxies from closing."""
    while not sender.done():
        receiver = asyncio.create_task(socket.receive())
        await asyncio.wait({receiver, sender}, return_when=asyncio.FIRST_COMPLETED)
        if not receiver.done():
            receiver.cancel()
            return
        if receiver.result()["type"] == "websocket.disconnect":
            return


async def _send(service: Service, feed: EventFeed, caller: Caller, socket: WebSocket, after: int | None) -> None:
    with feed.subscribe(caller.user.id) as queue:
        reset, seq, missed = await asyncio.to_thread(_missed, service, caller.user.id, after)
        try:
            await socket.send_json({"seq": seq, "kind": "hello", "body": {"reset": reset}})
            for notice in missed:
                await socket.send_json(notice.to_dict())
                seq = max(seq, notice.seq)
            while await asyncio.to_thread(is_alive, service, caller):
                await _send_new(queue, seq, socket)
            await socket.close(_ENDED, "the session has ended")
        except (WebSocketDisconnect, RuntimeError):  # the page has disconnected; Starlette raises either
            return


async def _send_new(queue: asyncio.Queue[Notice], seq: int, socket: WebSocket) -> None:
    """Send the events after a number for a while, however many there are."""
    clock = asyncio.get_running_loop().time
    end = clock() + _CHECK_SECONDS
    while (left := end - clock()) > 0:
        try:
            notice = await asyncio.wait_for(queue.get(), left)
        except TimeoutError:
            return
        if notice.seq > seq:
            await socket.send_json(notice.to_dict())


def _missed(service: Service, user_id: str, after: int | None) -> tuple[bool, int, list[Notice]]:
    """Return whether the page has to reload, its current number, and the events that it missed."""
    with service.database.read() as session:
        if after is not None and can_resume(session, after):
            return False, after, events_after(session, after, user_id)
        return after is not None, last_seq(session), []
