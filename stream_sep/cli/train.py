"""``stream-sep train``: from a config and caches to a file of weights."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stream_sep.errors import ConfigError


def train(
    config: Annotated[Path, typer.Argument(help="a training, such as presets/training/live.toml")],
    out: Annotated[Path | None, typer.Option(help="folder for weights and curves [default: out/NAME]")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for the best there is")] = "auto",
    data: Annotated[Path | None, typer.Option(help="where the caches lie [default: beside the config]")] = None,
    minutes: Annotated[float, typer.Option(help="time in all, over all sittings, instead of the config's")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="of all chance, instead of the config's", min=0)] = None,
    stop_after: Annotated[float, typer.Option(help="stop after so many minutes, to go on another time")] = 0.0,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="begin anew, whatever the folder holds")] = False,
) -> None:
    """Train a network, or go on with a training that was stopped or killed; Ctrl-C stops it cleanly."""
    from dataclasses import replace

    _need("torch", "safetensors")
    from stream_sep.training.config import read_config
    from stream_sep.training.trainer import Trainer

    console = Console(soft_wrap=True)
    training = read_config(config)
    if data is not None:
        training = replace(training, folder=data)
    if minutes > 0:
        training = replace(training, training=replace(training.training, minutes=minutes, steps=0))
    if seed is not None:
        training = replace(training, training=replace(training.training, seed=seed))
    folder = out or Path("out") / training.name
    trainer = Trainer(training, folder, device=device, fresh=fresh)
    if trainer.step:
        console.print(f"going on from step {trainer.step}", highlight=False)
    trainer.run(lambda text: console.print(text, highlight=False), _stopper(stop_after))
    state = (
        "done" if trainer.progress >= 1 else f"stopped at {100 * trainer.progress:.1f} %; the same command goes on"
    )
    if trainer.leads:
        console.print(f"{state}: {folder}/best.safetensors, {trainer.best:.2f} dB", highlight=False)


def _stopper(minutes: float):  # type: ignore[no-untyped-def] # noqa: ANN202 - a function that gives a bool
    """Return a function that says whether to stop, since a signal came or the time is over."""
    asked, begun = threading.Event(), time.monotonic()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: asked.set())
    return lambda: asked.is_set() or (minutes > 0 and time.monotonic() - begun > 60 * minutes)


def _need(*packages: str) -> None:
    import importlib.util

    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"training needs {package}, which is not installed; pip install 'stream-sep[train]'")
