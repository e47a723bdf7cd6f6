"""The model that a worker has loaded: one, because several would not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import Job
from stream_sep.files.settings import Recipe
from stream_sep.files.song_separator import SongSeparator

if TYPE_CHECKING:
    from bridge.web.service.schemas import SeparationSettings


class ModelShelf:
    """Gives separators; the last one is kept, so that songs with the same settings load nothing."""

    def __init__(self) -> None:
        self._settings: SeparationSettings | None = None
        self._separator: SongSeparator | None = None

    def separator(self, settings: SeparationSettings) -> SongSeparator:
        """Return what separates with these settings.

        Raises:
            SeparatorError: the model cannot be loaded.
            ConfigError: it lacks a stem that is asked for.
        """
        if self._separator is None or self._settings != settings:
            self._separator = None  # before the next one takes its memory
            self._separator, self._settings = SongSeparator(job_for(settings)), settings
        return self._separator


def job_for(settings: SeparationSettings) -> Job:
    """Return the job for settings; a track's folder, being absolute, says where its stems go."""
    stems = tuple(settings.stems) or None
    return Job(
        recipe=Recipe(model=settings.model, shifts=settings.shifts, threads=max(1, (os.cpu_count() or 2) - 1)),
        stems=stems,
        residual=settings.residual and (stems is None or "other" in stems),
        out=Path(),
        filename="{stem}.{ext}",
        format=AudioFormat("wav", 16, clip="clamp"),
        stream=True,
        tags=False,
        overwrite=True,
    )
