"""The training commands alone, for a machine with torch, soundfile and soxr, but without the engine's dependencies.

``python tools/lab.py train presets/training/live.toml``, and likewise ``data`` and ``models``: the code of
``stream-sep``, imported without the ``__init__`` of its packages.
"""

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def enter_bare(name: str) -> None:
    """Register a package without running its ``__init__``, so that its modules can be imported."""
    package = types.ModuleType(name)
    package.__path__ = [str(ROOT / name.replace(".", "/"))]
    sys.modules[name] = package


if "stream_sep" not in sys.modules:  # at import, as the processes that decode songs import this file too
    enter_bare("stream_sep")
    enter_bare("stream_sep.cli")

import typer  # noqa: E402 - after the packages are entered

from stream_sep.cli import data, models, train  # noqa: E402 - as above
from stream_sep.errors import StreamSepError  # noqa: E402 - as above


def main() -> None:
    """Run a command; exit with 1 and a message on an error."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.command()(train.train)
    app.add_typer(data.app, name="data")
    app.add_typer(models.app, name="models")
    try:
        app()
    except StreamSepError as error:
        sys.exit(f"stream-sep: {error}")


if __name__ == "__main__":
    main()
