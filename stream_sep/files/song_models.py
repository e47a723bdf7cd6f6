"""What makes stems of a song, chosen by the name of a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from stream_sep.errors import SeparatorError
from stream_sep.files.demucs_pass import NetworkPass
from stream_sep.files.stream_pass import StreamPass
from stream_sep.lowlevel.malloc import keep_freed_memory
from stream_sep.separators import FACTORIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stream_sep.files.settings import Recipe
    from stream_sep.files.song import Level
    from stream_sep.protocols import Block, Stems


class StemMaker(Protocol):
    """Makes stems of a song, read in blocks, with bounded memory."""

    @property
    def sources(self) -> tuple[str, ...]:
        """All stems that there could be."""
        ...

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems it makes, in the order of the output's first axis."""
        ...

    @property
    def identity(self) -> str:
        """What tells its weights from others; empty where its stems are not worth keeping in a cache."""
        ...

    def rate_for(self, song_rate: int) -> int:
        """Return the frames per second it works at, for a song of ``song_rate``."""
        ...

    def separate(self, blocks: Iterable[Block], rate: int, level: Level) -> Iterator[tuple[Block, Stems]]:
        """Give the mix, ``(2, frames)``, and its stems, ``(stems, 2, frames)``, from the first frame to the last."""
        ...

    def only(self, stems: Sequence[str]) -> StemMaker:
        """Return one that makes some of the stems, from the same weights.

        Raises:
            ConfigError: a stem that it does not have.
        """
        ...

    def smaller(self) -> tuple[StemMaker, str] | None:
        """Return what to try when memory ran out, and a sentence on it; None where there is nothing left."""
        ...


def load_stem_maker(recipe: Recipe) -> StemMaker:
    """Load the model of a recipe, to make all its stems.

    Raises:
        SeparatorError: the model is unknown, its weights are not here, or Demucs is not installed.
        ConfigError: a setting that it refuses.
    """
    if (recipe.model in FACTORIES and recipe.model != "demucs") or _is_own(recipe.model):
        return StreamPass(None, recipe)
    _prepare_process()
    from stream_sep.separators.demucs.networks import load_network  # noqa: PLC0415 - as above
    from stream_sep.separators.demucs.separator import _prepare_torch  # noqa: PLC0415 - only here when a model is

    try:
        parts = load_network("htdemucs" if recipe.model == "demucs" else recipe.model, recipe.repo)
    except SeparatorError as error:
        raise SeparatorError(f"{error}; or take --model live, whose weights are here") from error
    return NetworkPass(parts, None, recipe, _prepare_torch(recipe.device, recipe.threads))


def _prepare_process() -> None:
    """Have threads wait without spinning, and memory stay for the next window.

    Where other programs run, threads that spin take the cores from each other; torch reads this when it is loaded.
    (Large pages, ``THP_MEM_ALLOC_ENABLE``, would save a second of the first window, and take 0.6 GB more.)
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    keep_freed_memory()


def _is_own(model: str) -> bool:
    return ":" in model and not model.startswith("hf://")
