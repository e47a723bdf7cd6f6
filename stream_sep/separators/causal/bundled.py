"""The weights that come with the package, and their model cards."""

from __future__ import annotations

from pathlib import Path

from stream_sep.errors import SeparatorError
from stream_sep.separators import canonical_name, older_name

_FOLDER = Path(__file__).parents[2] / "assets" / "weights"


def shipped() -> tuple[str, ...]:
    """Return the names of the models whose weights are here."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.onnx")))


def shipped_weights(name: str) -> Path:
    """Return the file of weights of a model.

    Raises:
        SeparatorError: none come with the package.
    """
    return _file(name, ".onnx")


def model_card(name: str) -> str:
    """Return what the weights of a model were trained on, what they can do and what not, as Markdown.

    Raises:
        SeparatorError: none come with the package.
    """
    return _file(name, ".md").read_text(encoding="utf-8")


def _file(name: str, ending: str) -> Path:
    stored = older_name(name)
    if stored not in shipped():
        having = ", ".join(map(canonical_name, shipped()))
        raise SeparatorError(
            f"no weights ship with {canonical_name(name)!r}, only with {having}; train some with "
            f"'stream-sep train {stored}' and name the file with --option weights=FILE"
        )
    return _FOLDER / f"{stored}{ending}"
