"""Measure the figures of the docs on this machine and write them into their page: none is typed by hand.

Needs nothing for the bench; give the folder of MUSDB18's previews (see ``stream-sep evaluate``) for scores. Where
Demucs and JACK's server are installed, both are measured too.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import soundfile

from stream_sep.engine.config import for_latency_class
from stream_sep.files.demo_song import load_demo_song

SONG = "180"
"""Seconds of the song that is separated: as long as songs are."""

MODELS = ("studio", "near", "live", "instant", "bands")
KEPT_PERCENT = "16"
"""Share of the artists that presets/training/live.toml keeps for validation."""

JACK_RUNS = 4
JACK_TEXT = (
    "`bench jack`: a JACK server at 128 frames, a Python loop that never rests in the same process, and in turns of\n"
    "ten seconds, a minute each, a bare client and the engine. Xruns come in bursts, hence four runs; callback in\n"
    "microseconds:"
)
CONTROL_TEXT = (
    "`bench control`, on the same server: 1,000 fader moves by OSC, by MIDI and from a browser; 1,000 a second;\n"
    "then bridges at rest:"
)
PLUGIN_MODELS = ("live", "instant")
PLUGIN_BLOCKS = (64, 128, 256, 512)
PLUGIN_INSTANCES = 2
PLUGIN_TEXT = (
    "`bench plugin`: the plug-in as a DAW calls it, 10,000 blocks of noise in real time, then ten seconds offline.\n"
    "Latency in frames, and by how much it exceeds that of `live`; callback in microseconds, start in seconds,\n"
    "offline speed in times real time:"
)

SOAK_SECONDS = "3600"
SOAK_TEXT = (
    "`bench soak`: the live engine on the demo song, over and over, ten moves a second, a preset every three\n"
    "seconds, and its separator killed every minute:"
)

STOPS = "60"
STOPS_TEXT = (
    "`bench stops`: `stream-sep demo`, ended by Ctrl-C, SIGTERM and SIGHUP in turn at a random moment of its start\n"
    "or its first seconds of sound:"
)

BLANK = "\n\n"
PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "figures.md"
CLASS = for_latency_class("instant")
INSTANT = ("--model", str(CLASS.model), *(f"--option={name}={value}" for name, value in CLASS.options.items()))
DEMUCS = ("--model", "demucs", "--option", "model=random-htdemucs")
SERVER = "stream_sep_figures"
WIDTH = 81  # columns of text that the page shows without scrolling


def output_of(*arguments: str) -> str:
    """Return the output of ``stream-sep``."""
    command = [sys.executable, "-P", "-m", "stream_sep", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def smallest_budget(*options: str) -> int:
    """Return the smallest latency budget, in milliseconds, that Demucs meets here at present."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "stream_sep",
        "bench",
        "engine",
        *DEMUCS,
        "--option",
        "budget_ms=1",
        *options,
    ]
    refusal = subprocess.run(command, check=False, capture_output=True, text=True).stderr
    return int(re.search(r"smallest budget is (\d+) ms", refusal)[1])


def smallest_run(seconds: str, *options: str) -> str:
    """Return the bench's output for Demucs at about the smallest total."""
    smallest = smallest_budget(*options)
    for more in (1.1, 1.25, 1.5, 2.0):
        budget = ("--option", f"budget_ms={round(more * smallest)}")
        with contextlib.suppress(subprocess.CalledProcessError):
            return output_of("bench", "engine", "--duration", seconds, *DEMUCS, *options, *budget)
    sys.exit(f"Demucs keeps up with no budget near {smallest} ms here: what else runs?")


def speed(seconds: str) -> Iterator[tuple[str, str]]:
    """Yield a caption and the measurements of each separator."""
    yield "The default separator:", output_of("bench", "engine", "--duration", seconds)
    yield "The same, for `--latency-class instant`:", output_of("bench", "engine", "--duration", seconds, *INSTANT)
    if importlib.util.find_spec("demucs"):
        for precision in ("float32", "bfloat16"):
            options = ("--option", f"precision={precision}")
            text = (
                f"HTDemucs at its full size in {precision}, at about the smallest total this machine keeps up with\n"
                "(with random weights, which take the same time):"
            )
            yield text, smallest_run(seconds, *options)


def jack(seconds: str) -> Iterator[tuple[str, str]]:
    """Yield the same for a JACK server, and for control."""
    if not shutil.which("jackd"):
        return
    os.environ |= {"JACK_DEFAULT_SERVER": SERVER, "JACK_NO_START_SERVER": "1"}
    command = ["jackd", "-n", SERVER, "-d", "dummy", "-r", "44100", "-p", "128", "-C", "8", "-P", "12"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        time.sleep(3)
        yield JACK_TEXT, table_of([_jack_run(seconds) for _ in range(JACK_RUNS)])
        yield CONTROL_TEXT, output_of("bench", "control")
        server.terminate()


def _jack_run(seconds: str) -> dict[str, object]:
    run = json.loads(output_of("bench", "jack", "--json", "--duration", seconds))
    p50, p99, longest = run["callback_us"]
    return {
        "xruns, bare client": run["xruns of a bare client"],
        "xruns, engine": run["xruns of the engine"],
        "late hops": run["late hops"],
        "callback p50": p50,
        "p99.9": p99,
        "max": longest,
    }


def files(_seconds: str) -> Iterator[tuple[str, str]]:
    """Yield the same for playing and separating songs."""
    with tempfile.TemporaryDirectory() as folder:
        demo = load_demo_song()
        song = Path(folder) / "demo.wav"
        soundfile.write(song, demo.mix.T, demo.sample_rate)
        yield "`play`, with 200 jumps to anywhere in the demo song:", output_of("bench", "player", str(song))
    if importlib.util.find_spec("demucs"):
        yield (
            "`separate` beside the `demucs` command, with HTDemucs at its full size:",
            output_of("bench", "files", "--duration", SONG),
        )


def plugin(_seconds: str) -> Iterator[tuple[str, str]]:
    """Yield the figures of two plug-in instances, a row for each model and block."""
    yield PLUGIN_TEXT, table_of([_plugin_run(model, block) for model in PLUGIN_MODELS for block in PLUGIN_BLOCKS])


def _plugin_run(model: str, block: int) -> dict[str, object]:
    options = ("--model", model, "--instances", str(PLUGIN_INSTANCES), "--block-size", str(block))
    figures = json.loads(output_of("bench", "plugin", "--json", *options))
    return {"model": model, "instances": PLUGIN_INSTANCES, "block": block, **figures}


def table_of(rows: list[dict[str, object]]) -> str:
    """Return rows of figures as a Markdown table.

    >>> print(table_of([{"block": 64, "late": 0}, {"block": 128, "late": 1.25}]))
    | block | late |
    | ---: | ---: |
    | 64 | 0 |
    | 128 | 1.25 |
    """
    cells = [list(rows[0]), ["---:"] * len(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _cell(value: object) -> str:
    """Return a figure of about three digits.

    >>> [_cell(value) for value in (1408, 0.0, 12.345, 2272.36)]
    ['1408', '0', '12.3', '2272']
    """
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def web(_seconds: str) -> Iterator[tuple[str, str]]:
    """Yield the same for the web service."""
    yield (
        "`bench web`: the service in its own folder, with 200 clients that upload the demo song:",
        output_of("bench", "web", "--clients", "200"),
    )


def soak(_seconds: str) -> Iterator[tuple[str, str]]:
    """Yield the figures of an hour-long soak test."""
    yield SOAK_TEXT, output_of("bench", "soak", "--duration", SOAK_SECONDS)


def stops(_seconds: str) -> Iterator[tuple[str, str]]:
    """Yield how long a command takes to end after a signal."""
    yield STOPS_TEXT, output_of("bench", "stops", "--runs", STOPS)


def scores(previews: str) -> Iterator[str]:
    """Yield the scores of our separators, on songs that are in no training data."""
    models = [word for name in MODELS for word in ("--model", name)]
    tables = output_of("evaluate", previews, "--validation", KEPT_PERCENT, *models).split(BLANK)
    yield "Previews of MUSDB18, 7 s each, whose artists the training of `live` was not given, and what each costs:"
    yield from (tables[0], tables[-1])
    with tempfile.TemporaryDirectory() as folder:
        demo = load_demo_song()
        (Path(folder) / "demo").mkdir()
        for stem, sound in demo.stems.items():
            soundfile.write(Path(folder) / "demo" / f"{stem}.wav", sound.T, demo.sample_rate)
        yield f"The demo song:\n\n{output_of('evaluate', folder, *models).split(BLANK)[0]}"


PARTS = {"speed": speed, "jack": jack, "files": files, "plugin": plugin, "web": web, "soak": soak, "stops": stops}


def shown(figure: str) -> str:
    """Return a figure as Markdown: a table as it is, the output of a command as text that fits the page.

    >>> print(shown("a" * 80 + " b"))
    ```text
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        b
    ```
    """
    if figure.startswith("|"):
        return figure
    lines = (
        textwrap.fill(line, WIDTH, subsequent_indent=" " * (22 if line.startswith(" ") else 4))
        for line in figure.splitlines()
    )
    return "\n".join(["```text", *lines, "```"])


def put(name: str, parts: list[str]) -> None:
    """Write ``parts`` between the page's marks of that name."""
    marks = re.compile(rf"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
    section = "\n\n".join(parts) + "\n"
    PAGE.write_text(marks.sub(lambda found: found[1] + section + found[2], PAGE.read_text()))


def main() -> None:
    """Run the measurements and rewrite the sections between the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("previews", nargs="?", help="folder of the previews of MUSDB18; without it the scores stay")
    parser.add_argument("--seconds", default="60", help="length of each paced run")
    parser.add_argument(
        "--parts", nargs="*", default=[*PARTS], choices=PARTS, help="what to measure; all unless given"
    )
    arguments = parser.parse_args()
    for part in arguments.parts:
        put(part, [f"{text}\n\n{shown(figure)}" for text, figure in PARTS[part](arguments.seconds)])
    if arguments.previews:
        put("scores", list(scores(arguments.previews)))


if __name__ == "__main__":
    main()
