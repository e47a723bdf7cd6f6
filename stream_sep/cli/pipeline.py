"""``stream-sep pipeline``: train on multitrack songs and separate others, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stream_sep.cli.interrupts import Interrupts
from stream_sep.errors import ConfigError


def pipeline(
    data: Annotated[Path, typer.Argument(help="multitrack songs: MUSDB18, MoisesDB, Slakh, or folders of stems")],
    songs: Annotated[
        list[Path] | None, typer.Argument(metavar="SONG...", help="songs to separate with the result")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for all results")] = Path("out/pipeline"),
    network: Annotated[str, typer.Option(help="kind of network: unet, frame-transformer, or module:KIND")] = "unet",
    option: Annotated[list[str] | None, typer.Option(help="KEY=VALUE of the network, such as base=16")] = None,
    groups: Annotated[
        str, typer.Option(help="what to separate into: four, vocals-instruments, drums-no_drums, band")
    ] = "four",
    minutes: Annotated[float | None, typer.Option(help="total training time over all runs", min=0)] = None,
    steps: Annotated[int | None, typer.Option(help="batches to train, instead of --minutes", min=0)] = None,
    layout: Annotated[
        str, typer.Option(help="stem-files, stem-folders, moises, slakh, cambridge-mt, mir1k, or auto")
    ] = "auto",
    cache: Annotated[str, typer.Option(help="h5 (one HDF5 file) or folder")] = "h5",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for the fastest available")] = "auto",
    jobs: Annotated[int, typer.Option(help="songs decoded in parallel")] = 1,
    validation_percent: Annotated[int, typer.Option(help="share of the artists to score on, not to train on")] = 16,
) -> None:
    """Train on multitrack songs and separate others. Run it again to do only the missing steps."""
    from stream_sep.cli.arguments import parse_options
    from stream_sep.cli.step_progress import StepProgress
    from stream_sep.training.pipeline import Pipeline

    if not minutes and not steps:
        raise ConfigError("the length of the training is missing; add --minutes or --steps")
    console = Console(soft_wrap=True, highlight=False)
    bars = StepProgress(console)
    run = Pipeline(
        data,
        out,
        network={"kind": network, **parse_options(option or [])},
        groups=groups,
        minutes=minutes or 0.0,
        steps=steps or 0,
        layout=layout,
        cache=cache,
        device=device,
        jobs=jobs,
        validation_percent=validation_percent,
        report=lambda text: console.print(text, markup=False),
        progress=bars.show,
    )
    with bars:
        run.prepare()
        with Interrupts() as interrupts:  # a training stops after a step, with a checkpoint
            run.train(interrupts.defer().is_set)
    interrupts.exit()
    with bars:
        done = run.finish(songs or ())
    console.print(f"weights: {done.weights}", markup=False)
    console.print(f"uSDR, dB: {json.dumps(done.scores)}", markup=False)
    for files in done.stems.values():
        for file in files.values():
            console.print(str(file), markup=False)
    for picture in done.pictures:
        console.print(str(picture), markup=False)
