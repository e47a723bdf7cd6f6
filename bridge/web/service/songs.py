"""Songs in a library: search, cursors, trash, the demo song."""

from __future__ import annotations

import base64
import json
import tempfile
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile
from sqlalchemy import and_, or_, select

from bridge.web.problems import Problem
from bridge.web.service.tables import Job, Song, User
from stream_sep.files.demo_song import load_demo_song

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from bridge.web.service.context import Service

PAGE = 50
DEMO_TITLE = "Demo song"
_DEMO_KEY = "demo-song"
_SORTS: dict[str, InstrumentedAttribute[Any]] = {
    "created": Song.created,
    "title": Song.title,
    "artist": Song.artist,
    "seconds": Song.seconds,
}


def fold_words(*texts: str) -> str:
    """Return texts normalized for the search: case folded, without accents.

    >>> fold_words("Café", "Ünder")
    'cafe under'
    """
    plain = unicodedata.normalize("NFKD", " ".join(texts).casefold())
    return "".join(letter for letter in plain if letter != "\0" and not unicodedata.combining(letter))[:800]


def find_songs(
    session: Session, user_id: str, *, words: str, state: str, sort: str, cursor: str, trash: bool
) -> tuple[list[Song], str | None]:
    """Return a page of songs and the cursor of the next.

    Args:
        session: of the database.
        user_id: their owner.
        words: all of them must be in title, artist, album or file name.
        state: of the songs; any unless given.
        sort: ``created``, ``title``, ``artist`` or ``seconds``, descending with ``-`` before it.
        cursor: end of the previous page; empty for the first.
        trash: songs in the trash instead.

    Raises:
        Problem: unknown order, or a cursor of another order.
    """
    query = select(Song).where(Song.user_id == user_id, Song.state != "deleting")
    query = query.where(Song.deleted.is_not(None) if trash else Song.deleted.is_(None))
    for word in fold_words(words).split():
        query = query.where(Song.words.contains(word, autoescape=True))
    if state:
        query = query.where(Song.state == state)
    column, down = _order(sort)
    query = _behind(query, sort, cursor)
    order = (column.desc(), Song.id.desc()) if down else (column, Song.id)
    songs = list(session.scalars(query.order_by(*order).limit(PAGE + 1)))
    if len(songs) <= PAGE:
        return songs, None
    last = songs[PAGE - 1]
    return songs[:PAGE], _cursor(sort, getattr(last, column.key), last.id)


def newest_jobs(session: Session, songs: list[Song]) -> dict[str, Job]:
    """Return the newest separation of each song.

    Args:
        session: the database session.
        songs: the songs.
    """
    ids = [song.id for song in songs]
    query = select(Job).where(Job.song_id.in_(ids), Job.kind == "separate").order_by(Job.created, Job.id)
    return {job.song_id: job for job in session.scalars(query)}


def add_demo_song(service: Service, user: User) -> Song:
    """Add the demo song to a library, by an upload like any other.

    Args:
        service: the service.
        user: the account.
    """
    from bridge.web.service.completion import complete  # noqa: PLC0415 - as the next two
    from bridge.web.service.requests import NewUpload  # noqa: PLC0415 - circular: uploads import songs
    from bridge.web.service.uploads import advance, begin_upload  # noqa: PLC0415 - as above

    song = load_demo_song()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo.flac"
        soundfile.write(path, song.mix.T, song.sample_rate, subtype="PCM_16")
        data = path.read_bytes()
    received = begin_upload(service, user, NewUpload(name=f"{DEMO_TITLE}.flac", size=len(data)), _DEMO_KEY)
    if received.song is not None:
        return received.song
    service.data.part(received.upload.id).write_bytes(data)
    if received.upload.offset == 0:
        advance(service, received.upload, len(data))
    return complete(service, received.upload.id)


def _order(sort: str) -> tuple[InstrumentedAttribute[Any], bool]:
    name = sort.removeprefix("-")
    if name not in _SORTS:
        raise Problem(
            422, "unknown-order", f"Songs cannot be sorted by {name[:40]!r}.", f"One of: {', '.join(_SORTS)}."
        )
    return _SORTS[name], sort.startswith("-")


def _behind(query: Select[Song], sort: str, cursor: str) -> Select[Song]:
    if not cursor:
        return query
    column, down = _order(sort)
    try:
        value, last = _read_cursor(sort, column.type.python_type, cursor)
    except (ValueError, TypeError, OverflowError) as error:
        raise Problem(422, "bad-cursor", "Invalid cursor.", "Begin again without one.") from error
    if down:
        return query.where(or_(column < value, and_(column == value, Song.id < last)))
    return query.where(or_(column > value, and_(column == value, Song.id > last)))


def _read_cursor(sort: str, kind: type[str | float], cursor: str) -> tuple[str | float, str]:
    """Return the value and the id that a cursor holds; anybody may have written it."""
    of, value, last = json.loads(base64.urlsafe_b64decode(cursor))
    if of != sort or isinstance(value, str) != (kind is str) or not isinstance(last, str):
        raise ValueError
    for text in (value, last):
        str(text).encode()  # half a surrogate pair is no text
    return kind(value), last


def _cursor(sort: str, value: Any, last: str) -> str:  # noqa: ANN401 - whatever the column holds
    return base64.urlsafe_b64encode(json.dumps([sort, value, last]).encode()).decode()
