"""Uploads: whole in one request, or in pieces that can be resumed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Request, Response
from sqlalchemy import select
from starlette.requests import ClientDisconnect

from bridge.web.problems import Problem
from bridge.web.service import uploads
from bridge.web.service.completion import complete
from bridge.web.service.dependencies import KnownCaller, ServiceOf
from bridge.web.service.requests import NewUpload, SeparationSettings
from bridge.web.service.responses import SongBody, UploadBody
from bridge.web.service.songs_view import song_body
from bridge.web.service.tables import Upload
from bridge.web.service.upload_stream import receive

if TYPE_CHECKING:
    from bridge.web.service.uploads import Received

router = APIRouter(tags=["uploads"])
_RAW = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}

IdempotencyKey = Annotated[str | None, Header(max_length=100, description="the same key returns the same upload")]


@router.post("/uploads", operation_id="beginUpload", status_code=201)
def begin_upload(
    service: ServiceOf,
    body: NewUpload,
    caller: KnownCaller,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> UploadBody:
    """Reserve the space for a file; send its bytes with PATCH."""
    received = uploads.begin_upload(service, caller.user, body, idempotency_key)
    response.headers["Location"] = f"/api/v1/uploads/{received.upload.id}"
    return _body(received)


@router.get("/uploads", operation_id="listUploads")
def list_uploads(service: ServiceOf, caller: KnownCaller) -> list[UploadBody]:
    """List one's own unfinished uploads, the oldest first: each can be resumed or cancelled."""
    query = select(Upload).where(Upload.user_id == caller.user.id).order_by(Upload.created, Upload.id)
    with service.database.read() as session:
        return [_body(uploads.Received(upload, None)) for upload in session.scalars(query)]


@router.get("/uploads/{upload_id}", operation_id="readUpload")
def read_upload(service: ServiceOf, upload_id: str, caller: KnownCaller, response: Response) -> UploadBody:
    """Return the state of an upload."""
    received = uploads.find_upload(service, caller.user.id, upload_id)
    response.headers["Upload-Offset"] = str(received.upload.offset)
    return _body(received)


@router.head("/uploads/{upload_id}", operation_id="headUpload", status_code=204)
def head_upload(service: ServiceOf, upload_id: str, caller: KnownCaller) -> Response:
    """Return the progress of an upload, in `Upload-Offset` and `Upload-Length`."""
    upload = uploads.find_upload(service, caller.user.id, upload_id).upload
    return Response(status_code=204, headers={"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size)})


@router.patch("/uploads/{upload_id}", operation_id="sendPiece", openapi_extra=_RAW)
async def send_piece(
    service: ServiceOf,
    upload_id: str,
    caller: KnownCaller,
    request: Request,
    response: Response,
    upload_offset: Annotated[int, Header(ge=0, description="offset of these bytes")],
) -> UploadBody:
    """Append raw bytes, about 8 MiB at a time; the last ones create the song and its job, in one commit."""
    received = await asyncio.to_thread(uploads.find_upload, service, caller.user.id, upload_id)
    if received.song is None:
        if upload_offset != received.upload.offset:
            raise uploads.wrong_offset(received.upload.offset)
        received = await _receive(service, received, request)
    response.headers["Upload-Offset"] = str(received.upload.offset)
    return _body(received)


@router.delete("/uploads/{upload_id}", operation_id="cancelUpload", status_code=204)
def cancel_upload(service: ServiceOf, upload_id: str, caller: KnownCaller) -> None:
    """Cancel an upload and delete its bytes; no effect once it is a song."""
    received = uploads.find_upload(service, caller.user.id, upload_id)
    if received.song is None:
        uploads.cancel_upload(service, received.upload)


@router.post("/songs", operation_id="uploadSong", status_code=201, openapi_extra=_RAW)
async def upload_song(
    service: ServiceOf,
    caller: KnownCaller,
    request: Request,
    name: str,
    model: str = "",
    content_length: Annotated[int | None, Header(ge=1)] = None,
    idempotency_key: IdempotencyKey = None,
) -> SongBody:
    """Send a whole file as the raw body, as with `curl --data-binary @song.mp3`; responds once it is on the disk."""
    if content_length is None:
        raise Problem(411, "length-required", "The length of the file is missing.", "Send Content-Length.")
    new = NewUpload(name=name[:1000], size=content_length, settings=SeparationSettings(model=model))
    received = await asyncio.to_thread(uploads.begin_upload, service, caller.user, new, idempotency_key)
    if received.song is None:
        try:
            if received.upload.offset:  # an earlier request with this key broke off
                await asyncio.to_thread(uploads.rewind, service, received.upload)
            received = await _receive(service, received, request)
        finally:
            if received.song is None and idempotency_key is None:  # nobody could resume it
                await asyncio.to_thread(uploads.cancel_upload, service, received.upload)
    if received.song is None:
        raise Problem(400, "incomplete", "The connection broke before the whole file was received.", "Send it again.")
    return song_body(received.song, None)


async def _receive(service: ServiceOf, received: Received, request: Request) -> Received:
    upload = received.upload
    try:
        offset = await receive(service, upload, request.stream())
    except ClientDisconnect:
        raise Problem(400, "incomplete", "The connection broke.", "Send HEAD for the offset.") from None
    if offset < upload.size:
        upload.offset = offset
        return uploads.Received(upload, None)
    async with request.app.state.completing:
        song = await asyncio.to_thread(complete, service, upload.id)
    upload.offset = offset
    return uploads.Received(upload, song)


def _body(received: Received) -> UploadBody:
    upload, song = received.upload, received.song
    return UploadBody(
        id=upload.id,
        name=upload.name,
        size=upload.size,
        offset=upload.offset,
        state="received" if song is not None else "receiving",
        song=song_body(song, None) if song is not None else None,
    )
