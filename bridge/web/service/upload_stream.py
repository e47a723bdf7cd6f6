"""Appends the bytes of a request to an upload."""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING

from starlette.requests import ClientDisconnect

from bridge.web.problems import Problem
from bridge.web.service.uploads import advance, rewind, unchanged_row, wrong_offset
from stream_sep.lowlevel.atomic_file import lock_file

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
        Problem: more bytes than announced, too slow, or another request writes or wrote meanwhile.
        ClientDisconnect: the connection broke; received bytes are kept.
    """
    if upload.offset == upload.size:  # its file may have been moved already
        return upload.size
    file = await asyncio.to_thread(_open_part, service, upload)
    try:
        offset, broken = await _append(file, upload, stream)
        if offset > upload.offset:
            await asyncio.to_thread(file.flush)
            await asyncio.to_thread(advance, service, upload, offset)
    finally:
        await asyncio.to_thread(file.close)
    if isinstance(broken, TimeoutError):
        raise Problem(408, "too-slow", "The upload is too slow.", "Go on with the next piece.") from broken
    if broken is not None:
        raise broken
    return offset


def _open_part(service: Service, upload: Upload) -> IO[bytes]:
    """Open an upload's file at its committed offset; it is locked, so that a late request cannot mix its bytes in.

    Raises:
        Problem: another request has it open, or has written meanwhile.
    """
    try:
        file = service.data.part(upload.id).open("r+b")
    except FileNotFoundError:  # it became a song, was cancelled, or somebody removed it
        rewind(service, upload)
        service.data.part(upload.id).touch(mode=0o600)
        raise wrong_offset(0) from None
    try:
        lock_file(file.fileno())
        with service.database.read() as session:
            unchanged_row(session, upload)
        file.truncate(upload.offset)  # after a crash there may be more
        file.seek(upload.offset)
    except BlockingIOError:
        file.close()
        detail, hint = "Another request is sending this upload.", "Wait a moment, then send HEAD for the offset."
        raise Problem(409, "upload-busy", detail, hint, headers={"Retry-After": "1"}) from None
    except BaseException:
        file.close()
        raise
    return file


async def _append(file: IO[bytes], upload: Upload, stream: AsyncIterator[bytes]) -> tuple[int, Exception | None]:
    """Write a stream to an upload's file; return the new offset, and the error that ended the stream early."""
    offset = upload.offset
    try:
        async for block in _blocks(stream):
            if offset + len(block) > upload.size:
                detail = f"More than the announced {upload.size} bytes were sent."
                return offset, Problem(413, "too-many-bytes", detail)
            await asyncio.to_thread(file.write, block)
            offset += len(block)
    except (ClientDisconnect, TimeoutError) as error:
        return offset, error
    return offset, None


async def _blocks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join small chunks into larger blocks; if the stream breaks, those before it are yielded first."""
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
