"""``stream-sep models``: weights, looked at and made ready to play."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from stream_sep.errors import ConfigError

app = typer.Typer(help="Look at weights and export them.", no_args_is_help=True)


@app.command()
def export(
    weights: Annotated[Path, typer.Argument(help="a .safetensors file of a training")],
    out: Annotated[Path | None, typer.Option(help="the .onnx file [default: beside the weights]")] = None,
) -> None:
    """Write weights as an ONNX file, and check that it computes the same."""
    from stream_sep.separators.causal.export import export_onnx

    target = out or weights.with_suffix(".onnx")
    if target.suffix != ".onnx":
        raise ConfigError(f"--out {target} must end in .onnx")
    error = export_onnx(weights, target)
    typer.echo(f"{target}: {target.stat().st_size / 2**20:.1f} MB, masks differ by at most {error:.1g}")


@app.command()
def show(weights: Annotated[Path, typer.Argument(help="a .safetensors or .onnx file")]) -> None:
    """Print how large a network is, how late it sounds, and how it was trained."""
    from stream_sep.separators.causal.runtimes import open_runtime
    from stream_sep.separators.causal.weights import read_notes

    size = open_runtime(weights).size
    typer.echo(
        f"algorithmic latency: {size.algorithmic} frames, {1000 * size.algorithmic / 44100:.1f} ms at 44.1 kHz"
    )
    typer.echo(f"size: {size}")
    if weights.suffix == ".safetensors":
        notes = read_notes(weights)[0]
        typer.echo(json.dumps({key: notes[key] for key in sorted(notes) if key != "size"}, indent=2))


@app.command()
def card(name: Annotated[str, typer.Argument(help="a model whose weights ship")] = "live") -> None:
    """Print what the weights that ship were trained on, how good they are, and what they do badly."""
    from stream_sep.separators.causal.bundled import model_card

    typer.echo(model_card(name))
