"""The bundled weights and their model cards."""

from __future__ import annotations

from pathlib import Path

from stream_sep.errors import SeparatorError
from stream_sep.separators import short_name

_FOLDER = Path(__file__).parents[2] / "assets" / "weights"


def bundled() -> tuple[str, ...]:
    """Return the names of the bundled models."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.safetensors")))


def bundled_weights(name: str) -> Path:
    """Return the weights file of a bundled model.

    Raises:
        SeparatorError: the model is not bundled.
    """
    return _file(name, ".safetensors")


def model_card(name: str) -> str:
    """Return the model card, as Markdown: training data, scores and limits.

    Raises:
        SeparatorError: the model is not bundled.
    """
    return _file(name, ".md").read_text(encoding="utf-8")


def _file(name: str, ending: str) -> Path:
    stored = short_name(name)
    if stored not in bundled():
        having = ", ".join(bundled())
        raise SeparatorError(
            f"no weights ship with {short_name(name)!r}, only with {having}; train some with "
            f"'stream-sep train {stored}' and name the file with --option weights=FILE"
        )
    return _FOLDER / f"{stored}{ending}"
