"""Data, training and baselines: separators of our own, from songs to files of weights; not needed to play."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream_sep.training.pipeline import Pipeline

__all__ = ["Pipeline"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as PEP 562 has it
    if name == "Pipeline":  # only then is anything heavy imported
        from stream_sep.training.pipeline import Pipeline  # noqa: PLC0415 - as above

        return Pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
