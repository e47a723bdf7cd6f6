"""The disk: what uploads have to leave, and bounds for files that are made on request and deleted after a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bridge.web.problems import Problem
from bridge.web.service.accounts_view import storage_of
from bridge.web.service.files import folder_bytes, remove
from bridge.web.service.queue import ACTIVE
from bridge.web.service.tables import Job, User

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

MIN_FREE_BYTES = 2_000_000_000
MAX_COPIES_BYTES = 5_000_000_000
_FRAME_BYTES = 4  # of stereo WAV with 16 bits, the largest of the formats
_HEADER_BYTES = 1 << 16


def require_disk(service: Service, size: int) -> None:
    """Check that a file fits on the disk and leaves it enough.

    Args:
        service: the service.
        size: bytes of the file.

    Raises:
        Problem: the disk is full.
    """
    if service.data.free_bytes() < MIN_FREE_BYTES + size:
        raise Problem(507, "disk-full", "The disk of this server is full.", "Contact its owner.")


def max_bytes(frames: int) -> int:
    """Return the most that a stereo file of so many frames takes, in any format that is offered."""
    return frames * _FRAME_BYTES + _HEADER_BYTES


def require_mix_room(service: Service, session: Session, user_id: str, frames: int) -> None:
    """Check that a mix fits on the disk, and with its owner's songs and other mixes in the quota.

    Args:
        service: the service.
        session: the database session.
        user_id: the account.
        frames: of the mix.

    Raises:
        Problem: the disk or the account is full.
    """
    require_disk(service, max_bytes(frames))
    storage = storage_of(service, session, session.get_one(User, user_id))
    if storage.used + _mix_bytes(service, session, user_id) + max_bytes(frames) > storage.limit:
        hint = "Mixes are deleted after a day; delete songs, or choose a shorter region."
        raise Problem(413, "quota-full", "Your songs and mixes would need more than your storage.", hint)


def make_room_for_copy(service: Service, folder: Path, size: int) -> None:
    """Delete the oldest copies in other formats until one more fits: they can be made again.

    Args:
        service: the service.
        folder: of the new copy; the others in it stay.
        size: its bytes, or a little more.

    Raises:
        Problem: the disk is full without any of them, too.
    """
    others = sorted((copies for copies in service.data.copies() if copies != folder), key=_changed)
    total = sum(map(folder_bytes, [*others, folder])) + size
    while others and (total > MAX_COPIES_BYTES or service.data.free_bytes() < MIN_FREE_BYTES + size):
        oldest = others.pop(0)
        total -= folder_bytes(oldest)
        remove(oldest)
    require_disk(service, size)


def _mix_bytes(service: Service, session: Session, user_id: str) -> int:
    """Return the bytes of an account's mixes; of those to be rendered, the most that they may take."""
    jobs = session.scalars(
        select(Job).where(Job.user_id == user_id, Job.kind == "mix", (Job.result != "") | Job.state.in_(ACTIVE))
    )
    return sum(_bytes_of(service, job) for job in jobs)


def _bytes_of(service: Service, job: Job) -> int:
    if not job.result:
        return max_bytes(job.settings["end_frame"] - job.settings["first_frame"])
    path = service.data.mix(job.song_id, job.result)
    return path.stat().st_size if path.is_file() else 0


def _changed(folder: Path) -> float:
    return folder.stat().st_mtime if folder.exists() else 0.0
