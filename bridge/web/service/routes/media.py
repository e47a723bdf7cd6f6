"""Audio and pictures of a song, by the same paths for its owner and for a share link."""

# without `from __future__ import annotations`: FastAPI could not resolve names that are local to a function
import gzip
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse

from bridge.web.problems import Problem, not_found
from bridge.web.service import downloads
from bridge.web.service.context import Service
from bridge.web.service.dependencies import AnyScheme, ServiceOf, address_of, own_song, require_caller, service_of
from bridge.web.service.downloads import FILE, ZIP, Responses
from bridge.web.service.files import COVER, SOURCE, replace_reserved
from bridge.web.service.pieces import RATES, find_stems, read_piece
from bridge.web.service.play_data import growing_pictures
from bridge.web.service.shares import PlayableSong, limit_guests, shared_song
from bridge.web.service.songs import newest_jobs
from bridge.web.service.songs_view import stems_version

_BINARY = "application/octet-stream"
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_BYTES: Responses = {200: {"content": {_BINARY: {}}, "description": "one blob per stem, each after its length"}}
_COVER: Responses = {200: {"content": {"image/jpeg": {}}, "description": "the picture"}}

Version = Annotated[
    str, Query(max_length=40, description="the song's `stems_version`; browsers then cache the response")
]
Format = Literal["flac", "wav", "mp3", "ogg"]


def _owned(request: Request, song_id: str, _schemes: AnyScheme = None) -> PlayableSong:
    service, caller = service_of(request), require_caller(request)
    with service.database.read() as session:
        song = own_song(session, caller, song_id)
        return PlayableSong(song, newest_jobs(session, [song]).get(song.id), downloads=True)


def _shared(request: Request, key: str) -> PlayableSong:
    service = service_of(request)
    try:
        return shared_song(service, key)
    except Problem:  # somebody may try keys
        limit_guests(service, address_of(request))
        raise


def _shared_files(request: Request, key: str) -> PlayableSong:
    service = service_of(request)
    limit_guests(service, address_of(request))
    return shared_song(service, key)


def make_router(who: Literal["owner", "share"]) -> APIRouter:
    """Return the routes for a song's owner, or for a share link."""
    if who == "owner":
        router = APIRouter(prefix="/songs/{song_id}", tags=["sound"])
        _add_sound(router, Depends(_owned), "")
        _add_files(router, Depends(_owned), "")
    else:
        router = APIRouter(prefix="/shares/{key}", tags=["shares"])
        _add_sound(router, Depends(_shared), "Shared")
        _add_files(router, Depends(_shared_files), "Shared")
    return router


def _add_sound(router: APIRouter, dependency: Any, suffix: str) -> None:  # noqa: ANN401 - FastAPI's own kind of value
    @router.get("/pieces/{number}", operation_id=f"readPiece{suffix}", response_class=Response, responses=_BYTES)
    def read_a_piece(
        service: ServiceOf,
        number: int,
        song: Annotated[PlayableSong, dependency],
        rate: Annotated[int | None, Query()] = None,
        v: Version = "",
    ) -> Response:
        """Return two seconds of all stems, as 16-bit FLAC, also while the song is being separated."""
        if rate is not None and rate not in RATES:
            raise Problem(422, "unknown-rate", f"Pieces are available at {RATES[0]} and {RATES[1]} Hz, not {rate}.")
        if number < 0:
            raise not_found("piece")
        source = find_stems(service, song.song, song.job)
        return Response(read_piece(source, number, rate), media_type=_BINARY, headers=_kept(song, v))

    @router.get("/peaks", operation_id=f"readPeaks{suffix}", response_class=Response, responses=_BYTES)
    def read_peaks(
        service: ServiceOf, song: Annotated[PlayableSong, dependency], request: Request, v: Version = ""
    ) -> Response:
        """Return the minimum and maximum of every 256 available frames as int8."""
        return _picture(service, song, "peaks", v, request)

    @router.get("/spectrogram", operation_id=f"readSpectrogram{suffix}", response_class=Response, responses=_BYTES)
    def read_spectrogram(
        service: ServiceOf, song: Annotated[PlayableSong, dependency], request: Request, v: Version = ""
    ) -> Response:
        """Return 128 log bands of every 2,048 available frames as uint8."""
        return _picture(service, song, "spectrogram", v, request)

    @router.get("/cover", operation_id=f"readCover{suffix}", response_class=FileResponse, responses=_COVER)
    def read_cover(service: ServiceOf, song: Annotated[PlayableSong, dependency]) -> Response:
        """Return the cover, a JPEG of at most 512 pixels a side."""
        path = service.data.song(song.song.id) / COVER
        if not path.is_file():
            raise not_found("cover")
        return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


def _add_files(router: APIRouter, dependency: Any, suffix: str) -> None:  # noqa: ANN401 - as above
    @router.get(
        "/stems/{stem}.{form}", operation_id=f"downloadStem{suffix}", response_class=FileResponse, responses=FILE
    )
    def download_stem(
        service: ServiceOf, stem: str, form: Format, song: Annotated[PlayableSong, dependency]
    ) -> Response:
        """Download one stem; supports byte ranges."""
        song.require_downloads()
        path = downloads.stem_path(service, song.song, stem, form)
        return downloads.attachment(path, f"{song.song.title} - {stem}.{form}")

    @router.get("/source.flac", operation_id=f"downloadSource{suffix}", response_class=FileResponse, responses=FILE)
    def download_source(service: ServiceOf, song: Annotated[PlayableSong, dependency]) -> Response:
        """Download the song itself, as it was decoded."""
        song.require_downloads()
        path = service.data.song(song.song.id) / SOURCE
        if not path.is_file():
            raise downloads.not_whole()
        return downloads.attachment(path, f"{song.song.title}.flac")

    @router.get("/all.zip", operation_id=f"downloadZip{suffix}", response_class=Response, responses=ZIP)
    def download_zip(
        service: ServiceOf,
        song: Annotated[PlayableSong, dependency],
        form: Annotated[Format, Query(alias="format")] = "flac",
    ) -> Response:
        """Download all stems in one zip."""
        song.require_downloads()
        if song.song.job_id is None:
            raise downloads.not_whole()
        files = [
            (
                replace_reserved(f"{song.song.title} - {stem}.{form}"),
                downloads.stem_path(service, song.song, stem, form),
            )
            for stem in song.song.stems
        ]
        return downloads.zip_response(files, f"{song.song.title}.zip")

    @router.get(
        "/stems.stem.mp4", operation_id=f"downloadStemFile{suffix}", response_class=FileResponse, responses=FILE
    )
    def download_stem_file(service: ServiceOf, song: Annotated[PlayableSong, dependency]) -> Response:
        """Download a stem file for DJ software."""
        song.require_downloads()
        return downloads.attachment(downloads.stem_file_path(service, song.song), f"{song.song.title}.stem.mp4")


def _picture(
    service: Service, playable: PlayableSong, kind: Literal["peaks", "spectrogram"], version: str, request: Request
) -> Response:
    source = find_stems(service, playable.song, playable.job)
    if not source.whole:
        return Response(growing_pictures(source, kind), media_type=_BINARY)
    path = source.files[0].parent / f"{kind}.bin.gz"
    if not path.is_file():
        raise not_found(kind)
    packed, headers = path.read_bytes(), {**_kept(playable, version), "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=_BINARY, headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(packed), media_type=_BINARY, headers=headers)


def _kept(playable: PlayableSong, version: str) -> dict[str, str]:
    """Return headers that let a browser cache files of one version of the stems: each version has its own address."""
    return _FOREVER if version and version == stems_version(playable.song) else {}
