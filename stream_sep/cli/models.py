"""``stream-sep models``: list models, show and export weights, import checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from stream_sep.cli.app import App
from stream_sep.errors import ConfigError
from stream_sep.separators import NEEDS_WEIGHTS, REGISTRY, SHORT_DEFAULT, short_name

app = App("List models, show and export weights.")

_LIVE = {
    "causal-6ms": ("6 ms", "bundled", "about 15 ms in all"),
    "causal-22ms": ("22 ms", "bundled", "the default; about 31 ms in all"),
    "causal-100ms": ("103 ms", "bundled", "about 112 ms in all"),
    "studio": ("103 ms", "bundled", "the mean of live and near, for songs"),
    "causal": ("its own", "train your own", "the network of live, with any hop and look-ahead"),
    "frame-transformer": ("22 ms", "train your own", "attention across frames, any stems"),
    "unet": ("0.5 s", "train your own", "windows, any stems"),
    "checkpoint": ("1.5 s", "a file", "published Roformers, SCNet, MDX23C; --model FILE.ckpt"),
    "imported": ("6 s", "a file", "vocal-remover 5, 6 and others; see models import"),
    "hs-tasnet": ("23 ms", "train your own", "the baseline of a paper"),
    "bands": ("23 ms", "none needed", "for slow machines; --option latency_ms=6 for less latency"),
    "demucs": ("0.3-2 s", "a download", "--latency-class quality; needs the extra demucs and a fast machine"),
    "passthrough": ("0 ms", "none needed", "no separation, for tests"),
}
"""Separator -> its own latency, its weights, and a note."""

_LAYOUT: dict[str, Any] = {"box": None, "title_justify": "left"}

_SONGS = {
    "htdemucs": ("80 MB", "the default of separate if it is here, and of refining in play"),
    "htdemucs_ft": ("320 MB", "a little better, four times the time"),
    "htdemucs_6s": ("", "with guitar and piano"),
    "hdemucs_mmi": ("", "Hybrid Demucs, the previous architecture"),
    "mdx_extra": ("", "a bag of four models"),
}
"""Demucs model -> download size, and a note."""


@app.command("list")
def list_() -> None:
    """List the models for live separation and for songs."""
    console = Console(soft_wrap=True)
    live = Table("model", "latency", "weights", "", title="for live, play, render and separate", **_LAYOUT)
    for name in (
        *_LIVE,
        *(name for name in {**REGISTRY, **NEEDS_WEIGHTS} if name not in _LIVE and name != "chained"),
    ):
        short = short_name(name)
        shown = name if short == name else f"{short}, {name}"
        live.add_row(shown, *_LIVE.get(name, ("", "", "")))
    songs = Table("model", "download", "", title="of Demucs, for separate and play --refined-model", **_LAYOUT)
    for name, (size, remark) in _SONGS.items():
        songs.add_row(name, size, remark)
    console.print(live, "", songs)
    print("\nFiles of weights are models too: --model FILE.safetensors; your own is package.module:factory.")


@app.command()
def export(
    weights: Annotated[Path, typer.Argument(help="a .safetensors file written by train")],
    out: Annotated[
        Path | None, typer.Option(help="the .onnx file (default: beside the weights), or a .safetensors file")
    ] = None,
) -> None:
    """Export weights to ONNX for other programs and check that it computes the same, or to int8 of half the size."""
    from stream_sep.separators.causal.export import export_int8, export_onnx

    target = out or weights.with_suffix(".onnx")
    if target.suffix == ".safetensors":
        export_int8(weights, target)
        typer.echo(f"{target}: {target.stat().st_size / 2**20:.1f} MB")
        return
    if target.suffix != ".onnx":
        raise ConfigError(f"--out {target} must end in .onnx or .safetensors")
    error = export_onnx(weights, target)
    typer.echo(f"{target}: {target.stat().st_size / 2**20:.1f} MB, masks differ by at most {error:.1g}")


@app.command("import")
def import_(
    checkpoint: Annotated[
        Path, typer.Argument(help="a .pth file of vocal-remover 5 or 6, or the frame transformer of 2022")
    ],
    out: Annotated[Path | None, typer.Option(help="the .safetensors file (default: beside the checkpoint)")] = None,
) -> None:
    """Import a checkpoint of another project, without executing its pickle, for --model FILE.safetensors."""
    from stream_sep.separators.imported.importer import import_checkpoint

    target = out or checkpoint.with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise ConfigError(f"--out {target} must end in .safetensors")
    name = import_checkpoint(checkpoint, target)
    typer.echo(f"{target}: {name}, {target.stat().st_size / 2**20:.1f} MB; play it with --model {target}")


@app.command()
def show(weights: Annotated[Path, typer.Argument(help="a .safetensors file")]) -> None:
    """Print a network's size and latency, and how it was trained."""
    from stream_sep.separators import load_separator
    from stream_sep.separators.weight_file import read_metadata

    separator = load_separator(str(weights))
    latency = separator.hop + separator.latency
    typer.echo(f"algorithmic latency: {latency} frames, {1000 * latency / 44100:.1f} ms at 44.1 kHz")
    typer.echo(f"stems: {', '.join(separator.stems)}")
    notes = read_metadata(weights)[0]
    typer.echo(f"size: {notes.get('size', '')}")
    typer.echo(json.dumps({key: _value(notes[key]) for key in sorted(notes) if key != "size"}, indent=2))


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value of the metadata, which are texts of JSON or other texts."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@app.command()
def card(name: Annotated[str, typer.Argument(help="a bundled model")] = SHORT_DEFAULT) -> None:
    """Print a model card: training data, scores and weaknesses."""
    from stream_sep.separators.causal.bundled import model_card

    typer.echo(model_card(name))
