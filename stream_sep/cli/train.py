"""``stream-sep train``: train a network from a config and caches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from stream_sep.cli.interrupts import Interrupts
from stream_sep.control.presets.paths import SUFFIX, shipped_folder
from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable


def train(
    config: Annotated[Path, typer.Argument(help="training config: a file, or a bundled one such as small")],
    out: Annotated[Path | None, typer.Option(help="folder for weights and metrics (default: out/NAME)")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for the fastest available")] = "auto",
    data: Annotated[Path | None, typer.Option(help="folder of the caches (default: that of the config)")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="total training time over all runs, instead of the config's", min=0)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="random seed, instead of the config's", min=0)] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="stop this run after so many minutes, to resume later", min=0)
    ] = None,
    *,
    restart: Annotated[bool, typer.Option("--restart", help="start over, discarding checkpoints")] = False,
) -> None:
    """Train a network, or resume a training; Ctrl-C stops it cleanly."""
    from dataclasses import replace

    _need("torch", "safetensors")
    from stream_sep.training.config_file import read_config
    from stream_sep.training.trainer import Trainer

    console = Console(soft_wrap=True)
    config, is_bundled = find_config(config)
    training = read_config(config)
    if is_bundled:
        training = replace(training, folder=Path())
    if data is not None:
        training = replace(training, folder=data)
    if minutes is not None:
        training = replace(training, training=replace(training.training, minutes=minutes, steps=0))
    if seed is not None:
        training = replace(training, training=replace(training.training, seed=seed))
    folder = out or Path("out") / training.name
    trainer = Trainer(training, folder, device=device, fresh=restart)
    if trainer.step:
        console.print(_resume_notice(trainer.step, trainer.progress), highlight=False)
    with Interrupts() as interrupts:
        stop = _stop_condition(interrupts.defer(), max_minutes)
        trainer.run(lambda text: console.print(text, highlight=False), stop)
    state = "done" if trainer.progress >= 1 else f"stopped at {100 * trainer.progress:.1f} %; run it again to resume"
    best = folder / "best.safetensors"
    if trainer.is_main:
        result = f"{best}, {trainer.best:.2f} dB" if best.is_file() else "no weights yet, as nothing was validated"
        console.print(f"{state}: {result}", highlight=False)
        if trainer.skipped.count:
            console.print(f"warning: {trainer.skipped.describe(trainer.step)}", highlight=False)
    if trainer.progress < 1:
        interrupts.exit()


def _resume_notice(step: int, progress: float) -> str:
    if progress >= 1:
        return f"trained already, {step} steps; --restart starts over"
    return f"resuming at step {step} ({100 * progress:.0f} % done); --restart starts over"


def find_config(config: Path) -> tuple[Path, bool]:
    """Return the file of a training config, and whether it is bundled, named alone or by its path in a checkout.

    >>> find_config(Path("small"))[1], find_config(Path("presets/training/small.toml"))[0].name
    (True, 'small.toml')

    Raises:
        ConfigError: there is neither.
    """
    if config.is_file():
        return config, False
    folder, name = Path(str(shipped_folder())) / "training", config.name.removesuffix(SUFFIX)
    bundled = folder / f"{name}{SUFFIX}"
    if bundled.is_file():
        return bundled, True
    names = sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))
    raise ConfigError(f"{config} cannot be read: no such file, and no bundled config; {did_you_mean(name, names)}")


def _stop_condition(requested: threading.Event, minutes: float | None) -> Callable[[], bool]:
    """Return a function that returns whether to stop, on a signal or at the end of the time."""
    begun = time.monotonic()
    return lambda: requested.is_set() or (minutes is not None and time.monotonic() - begun > 60 * minutes)


def _need(*packages: str) -> None:
    import importlib.util

    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"training needs {package}, which is not installed; {install_hint('train')}")
