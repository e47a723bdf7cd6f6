"""The ``stream-sep`` command: one verb a module, and every failure one sentence."""

from __future__ import annotations

import gc
import sys

import typer

from stream_sep.cli import (
    bench,
    data,
    demo,
    devices,
    evaluate,
    host,
    layout,
    live,
    midi,
    models,
    play,
    plugin,
    presets,
    render,
    separate,
    serve,
    train,
)
from stream_sep.errors import StreamSepError

app = typer.Typer(
    help="Live stem separation: music in, every stem on a fader, while it plays.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (
    demo.demo,
    live.live,
    play.play,
    render.render,
    devices.devices,
    bench.bench,
    evaluate.evaluate,
    layout.layout,
    separate.separate,
    host.host,
    train.train,
):
    app.command()(verb)
app.add_typer(presets.app, name="presets")
app.add_typer(midi.app, name="midi")
app.add_typer(separate.cache_app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(plugin.app, name="plugin")
app.add_typer(serve.app, name="serve")


def main() -> None:
    """Run the command line; leave with 1 and one sentence when something cannot be done."""
    try:
        app()
    except StreamSepError as error:
        print(f"stream-sep: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # or Python looks through all that torch has loaded for garbage once more: 0.7 s
