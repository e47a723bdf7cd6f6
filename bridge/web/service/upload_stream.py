"""Appends the bytes of a request to an upload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from bridge.web.problems import Problem
from bridge.web.service.uploads import advance, truncate_part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.web.service.context import Service
    from bridge.web.service.tables import Upload

MIN_RATE_BYTES = 1 << 20
MIN_RATE_SECONDS = 10.0
"""Time in which a body has to bring `MIN_RATE_BYTES`; a slower one is aborted."""

_WRITE_BYTES = 1 << 18


async def receive(service: Service, upload: Upload, stream: AsyncIterator[bytes]) -> int:
    """Append a stream; return the new offset, which is stored even if the stream breaks off.

    Args:
        service: the service.
        upload: the upload.
        stream: chunks of bytes.

    Raises:
        Problem: more bytes than announced, too slow, or another request wrote meanwhile.
        ClientDisconnect: the connection broke; received bytes are kept.
    """
    offset = upload.offset
    await asyncio.to_thread(truncate_part, service, upload)
    file = await asyncio.to_thread(service.data.part(upload.id).open, "ab")
    broken: Exception | None = None
    try:
        async for block in _blocks(stream):
            if offset + len(block) > upload.size:
                broken = Problem(413, "too-many-bytes", f"More than the announced {upload.size} bytes were sent.")
                break
            await asyncio.to_thread(file.write, block)
            offset += len(block)
    except (ClientDisconnect, TimeoutError) as error:
        broken = error
    finally:
        await asyncio.to_thread(file.close)
    if offset > upload.offset:
        await asyncio.to_thread(advance, service, upload, offset)
    if isinstance(broken, TimeoutError):
        raise Problem(408, "too-slow", "The upload is too slow.", "Go on with the next piece.") from broken
    if broken is not None:
        raise broken
    return offset


async def _blocks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Gather small chunks into larger blocks; what was gathered before the stream broke is yielded first."""
    waiting = bytearray()
    try:
        async with asyncio.timeout(MIN_RATE_SECONDS) as limit:
            loop, since = asyncio.get_running_loop(), 0
            async for chunk in stream:
                waiting += chunk
                since += len(chunk)
                if since >= MIN_RATE_BYTES:
                    since = 0
                    limit.reschedule(loop.time() + MIN_RATE_SECONDS)
                if len(waiting) >= _WRITE_BYTES:
                    yield bytes(waiting)
                    waiting.clear()
    except (ClientDisconnect, TimeoutError):
        if waiting:
            yield bytes(waiting)
        raise
    if waiting:
        yield bytes(waiting)
