"""The ``stream-sep`` command: one module per command, and one message per error."""

from __future__ import annotations

import gc
import io
import logging
import sys
from typing import Annotated

import typer

from stream_sep.cli import (
    bench,
    config,
    data,
    demo,
    devices,
    evaluate,
    host,
    layout,
    live,
    midi,
    models,
    pipeline,
    play,
    plugin,
    presets,
    render,
    separate,
    serve,
    train,
    warm_up,
    web,
)
from stream_sep.cli.app import App
from stream_sep.cli.config_file import Options, read_defaults
from stream_sep.cli.interrupts import Interrupted, Interrupts
from stream_sep.cli.logs import describe_versions, is_verbose, set_up_logging
from stream_sep.errors import StreamSepError
from stream_sep.extras import missing_extra

_log = logging.getLogger(__name__)

app = App(
    "Live stem separation: music in, every stem on a fader, while it plays.",
    add_completion=True,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C (143 with "
    "SIGTERM, 129 with SIGHUP). NO_COLOR=1 turns colours off. Defaults for options: stream-sep config --help.",
)
for verb in (
    demo.demo,
    live.live,
    play.play,
    separate.separate,
    render.render,
    devices.devices,
    evaluate.evaluate,
    layout.layout,
    host.host,
    train.train,
    pipeline.pipeline,
    warm_up.warm_up,
):
    app.command()(verb)
app.add_typer(presets.app, name="presets")
app.add_typer(midi.app, name="midi")
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.add_typer(separate.cache_app, name="cache")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.add_typer(plugin.app, name="plugin")
app.add_typer(serve.app, name="serve")
app.add_typer(web.app, name="web")


def _print_version(requested: bool) -> None:  # noqa: FBT001 - as typer calls it
    if requested:
        print(describe_versions())
        raise typer.Exit


@app.callback()
def _read_options(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="print the version and exit", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Apply the defaults of the user's settings."""
    del version  # its callback has printed it
    if ctx.invoked_subcommand != "config":  # which must run with a broken file, to fix it
        ctx.default_map = read_defaults(Options(ctx))


def main() -> None:
    """Run the command line; exit with 0, with 1 and a message, with 2 for wrong usage, or with 130 on Ctrl-C.

    SIGTERM and SIGHUP exit with 143 and 129. Commands that have to stop in order handle signals themselves.
    """
    _print_any_name()
    set_up_logging(0)
    try:
        with Interrupts():
            code = app(prog_name="stream-sep", standalone_mode=False)
    except Interrupted as interrupted:
        code = interrupted.exit_code
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        sys.stdout = None  # or Python fails once more while it flushes
        code = 1
    except Exception as error:  # noqa: BLE001 - the user gets a message, the log the traceback
        code = _fail(error)
    finally:
        gc.freeze()  # or Python looks through all that torch has loaded for garbage once more: 0.7 s
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: Exception) -> int:
    """Print the error; return the exit code."""
    if hasattr(error, "format_message"):  # of typer: the command was wrong
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 2
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        return _print_error(f"{error.format_message().rstrip('.')}{hint}", 2)
    _log.debug("raised here:", exc_info=error)
    return _print_error(_message(error))


def _message(error: Exception) -> str:
    if isinstance(error, StreamSepError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (message := missing_extra(error)):
        return message
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror.lower()}{where}"
    remedy = "please report this" if is_verbose() else "run it again with -vv and report what it prints"
    return f"unexpected {type(error).__name__}: {error}; {remedy}"


def _print_error(message: str, code: int = 1) -> int:
    print(f"stream-sep: error: {message}", file=sys.stderr)
    return code


def _print_any_name() -> None:
    """Escape characters that the terminal cannot print, as in file names, where they would end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
