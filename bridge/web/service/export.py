"""All of an account's songs with their stems, as the entries of one zip."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bridge.web.service.dependencies import iso
from bridge.web.service.files import COVER, SOURCE, replace_reserved
from bridge.web.service.tables import Song, User

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

LISTING = "library.json"
_MAX_NAME = 100


def export_entries(service: Service, session: Session, user: User) -> list[tuple[str, Path | bytes]]:
    """Return the names and contents of an account's export: a listing, then a folder for each song.

    A folder has the song as FLAC, its stems, and its cover. Songs in the trash are left out.

    Args:
        service: the service.
        session: the database session.
        user: the account.
    """
    query = select(Song).where(Song.user_id == user.id, Song.state != "deleting", Song.deleted.is_(None))
    songs = list(session.scalars(query.order_by(Song.created, Song.id)))
    folders = unique_names([_folder_name(song) for song in songs])
    listing = [_listed(song, folder) for song, folder in zip(songs, folders, strict=True)]
    entries: list[tuple[str, Path | bytes]] = [(LISTING, json.dumps(listing, indent=1, ensure_ascii=False).encode())]
    for song, folder in zip(songs, folders, strict=True):
        entries += [(f"{folder}/{path.name}", path) for path in _files(service, song)]
    return entries


def unique_names(names: list[str]) -> list[str]:
    """Return names of which no two differ in case only, with a number behind those that came before.

    >>> unique_names(["a", "A", "b", "a"])
    ['a', 'A (2)', 'b', 'a (3)']
    """
    taken: dict[str, int] = {}
    unique = []
    for name in names:
        key = name.casefold()
        taken[key] = taken.get(key, 0) + 1
        unique.append(name if taken[key] == 1 else f"{name} ({taken[key]})")
    return unique


def safe_name(text: str) -> str:
    """Return a text as a name of a file or folder on any system.

    >>> safe_name('AC/DC: "Live"'), safe_name("..")
    ('AC_DC_ _Live_', 'song')
    """
    return replace_reserved(text)[:_MAX_NAME].strip(" .") or "song"


def _folder_name(song: Song) -> str:
    return safe_name(f"{song.artist} - {song.title}" if song.artist else song.title)


def _files(service: Service, song: Song) -> Iterator[Path]:
    folder = service.data.song(song.id)
    if song.digest:  # it was decoded
        yield folder / SOURCE
    if song.cover:
        yield folder / COVER
    if song.job_id is not None:
        yield from (service.data.stems(song.id, song.job_id) / f"{stem}.flac" for stem in song.stems)


def _listed(song: Song, folder: str) -> dict[str, Any]:
    return {
        "folder": folder,
        "title": song.title,
        "artist": song.artist,
        "album": song.album,
        "file_name": song.file_name,
        "seconds": song.seconds,
        "stems": song.stems,
        "model": song.model,
        "created": iso(song.created),
    }
