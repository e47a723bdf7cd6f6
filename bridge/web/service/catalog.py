"""The models that songs may be separated with: whether each can run here, and how fast it was."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bridge.web.problems import Problem
from bridge.web.service.responses import ModelBody
from bridge.web.service.tables import Job, Song
from stream_sep.extras import install_hint
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.config import ServiceConfig
    from bridge.web.service.requests import SeparationSettings

_SIX = ("drums", "bass", "other", "vocals", "guitar", "piano")
_DEMUCS_MODULE = "demucs"
_DEMUCS = ("drums", "bass", "other", "vocals")


@dataclass(frozen=True)
class CatalogEntry:
    """A model on offer.

    Attributes:
        name: as in `SeparationSettings`.
        title: for users.
        stems: its stems.
        description: its strengths and its cost, for users.
        needs: the module to install; empty for models that ship.
    """

    name: str
    title: str
    stems: tuple[str, ...]
    description: str
    needs: str = ""

    @property
    def missing(self) -> str:
        """A message if `needs` is missing here, else empty."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            return f"It is not installed on this server; {install_hint('demucs')}."
        return ""


CATALOG = (
    CatalogEntry(
        "studio", "Standard", STEMS, "The mean of two of our networks: cleaner than Fast, several times real time."
    ),
    CatalogEntry(
        "causal-22ms", "Fast", STEMS, "Our causal network: many times faster than real time, good for practising."
    ),
    CatalogEntry("causal-6ms", "Fastest", STEMS, "Our causal network with the shortest latency: a draft in seconds."),
    CatalogEntry(
        "htdemucs", "Best", _DEMUCS, "Hybrid Transformer Demucs: the cleanest stems, but much slower.", _DEMUCS_MODULE
    ),
    CatalogEntry(
        "htdemucs_ft",
        "Best, fine-tuned",
        _DEMUCS,
        "Four networks, one a stem: slightly cleaner, four times slower.",
        _DEMUCS_MODULE,
    ),
    CatalogEntry(
        "htdemucs_6s", "Six stems", _SIX, "With guitar and piano; the piano is the weakest of them.", _DEMUCS_MODULE
    ),
)


def offered(config: ServiceConfig) -> tuple[CatalogEntry, ...]:
    """Return the models of a server: those it was started with, or all."""
    known = {entry.name: entry for entry in CATALOG}
    names = dict.fromkeys((config.model, *(config.models or known)))
    return tuple(
        known.get(name, CatalogEntry(name, name, (), "Chosen by the owner of this server.")) for name in names
    )


def model_bodies(config: ServiceConfig, session: Session) -> list[ModelBody]:
    """Return the models as JSON, each with the speed that this server's finished jobs had.

    Args:
        config: settings of the server.
        session: the database session.
    """
    speeds = _speeds(session)
    return [
        ModelBody(
            name=entry.name,
            title=entry.title,
            stems=list(entry.stems),
            description=entry.description,
            speed=speeds.get(entry.name),
            passes=entry in CATALOG,
            available=not entry.missing,
            reason=entry.missing,
        )
        for entry in offered(config)
    ]


def check_settings(config: ServiceConfig, settings: SeparationSettings) -> SeparationSettings:
    """Return settings with the model filled in.

    Args:
        config: settings of the server.
        settings: of the separation.

    Raises:
        Problem: a model that is not offered, or stems that it does not have.
    """
    name = settings.model or config.model
    entry = next((entry for entry in offered(config) if entry.name == name), None)
    if entry is None:
        names = ", ".join(entry.name for entry in offered(config))
        raise Problem(422, "unknown-model", f"This server has no model {name[:100]!r}.", f"It has: {names}.")
    if entry.missing:
        raise Problem(422, "model-missing", entry.missing, "Choose another model.")
    unknown = [stem for stem in settings.stems if entry.stems and stem not in entry.stems]
    if unknown:
        stems = ", ".join(entry.stems)
        raise Problem(422, "unknown-stem", f"{entry.title} has no stem {unknown[0][:40]!r}.", f"It has: {stems}.")
    return settings.model_copy(update={"model": name})


def _speeds(session: Session) -> dict[str, float]:
    took = func.sum(Job.ended - Job.started)
    query = (
        select(Song.model, func.sum(Song.seconds), took)
        .join(Job, Job.id == Song.job_id)
        .where(Job.state == "done", Song.model != "")
        .group_by(Song.model)
    )
    return {model: round(music / seconds, 2) for model, music, seconds in session.execute(query) if seconds}
