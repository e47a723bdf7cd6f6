"""Separation in the worker: stems as WAV files that can be read while they grow, with one model loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.files import settings as separation
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.song_models import ModelShelf
from stream_sep.files.song_separator import SongSeparator

if TYPE_CHECKING:
    from bridge.web.service.requests import SeparationSettings


def make_shelf() -> ModelShelf:
    """Return a shelf for one model: several of the large ones would not fit."""
    return ModelShelf(capacity=1)


def separator_for(settings: SeparationSettings, shelf: ModelShelf) -> SongSeparator:
    """Return the separator of a song; a track's absolute folder is where its stems are written.

    Args:
        settings: the owner's settings of the song.
        shelf: has the model, if the previous song used the same.

    Raises:
        SeparatorError: the model cannot be loaded.
        ConfigError: it lacks a requested stem.
    """
    stems = tuple(settings.stems) or None
    threads = max(1, (os.cpu_count() or 2) - 1)
    job = SeparationJob(
        settings=separation.SeparationSettings(model=settings.model, shifts=settings.shifts, threads=threads),
        stems=stems,
        residual=settings.residual and (stems is None or "other" in stems),
        out=Path(),
        filename="{stem}.{ext}",
        format=AudioFormat("wav", 16, clip="clamp"),
        stream=True,
        tags=False,
        overwrite=True,
    )
    return SongSeparator(job, shelf.get(job.settings))
