"""The subjects that the options of the longest commands are listed by, in ``--help`` and in the reference."""

from __future__ import annotations

import re
from typing import Any

LONG_COMMANDS = frozenset({"live", "play", "host", "separate"})
"""Commands whose options are listed by subject; the others have few."""

SUBJECTS = {
    "Sound in and out": (
        "--input",
        "--output",
        "--backend",
        "--sample-rate",
        "--block-size",
        "--outputs",
        "--shared-clock",
        "--resampler-ms",
        "--auto-connect",
        "--no-audio",
        "--record",
        "--reastream",
    ),
    "Separation": (
        "--model",
        "--latency-class",
        "--refined-model",
        "--no-refine",
        "--option",
        "--repo",
        "--config",
        "--slack",
        "--fallback",
        "--on-failure",
        "--standby",
        "--shifts",
        "--overlap",
        "--segment",
        "--seed",
    ),
    "Stems": ("--stems", "--two-stems", "--other-method", "--mix", "--residual"),
    "Files": (
        "--out",
        "--filename",
        "--format",
        "--bits",
        "--bitrate",
        "--clip-mode",
        "--tags",
        "--stream",
        "--overwrite",
    ),
    "Mix and effects": ("--set", "--preset", "--effect-latency"),
    "Playback": ("--start", "--loop", "--speed", "--pitch"),
    "Machine": ("--device", "--precision", "--threads", "--jobs", "--executor", "--address", "--cache-gb"),
    "OSC and OSCQuery": (
        "--osc-port",
        "--osc-bind",
        "--osc-out",
        "--osc-prefix",
        "--osc-trust",
        "--meter-rate",
        "--oscquery-port",
        "--oscquery-origin",
    ),
    "Faders in the browser": ("--web", "--web-port", "--web-bind", "--web-read-only"),
    "MIDI and DAWs": ("--midi", "--midi-map", "--daw", "--daw-push"),
}
"""Subject -> its options, in the order of the help."""

_SUBJECT_OF = {option: subject for subject, options in SUBJECTS.items() for option in options}


def by_subject(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:  # noqa: ANN401 - of Typer's own copy of Click
    """Return the help of a command's arguments and options: heading -> (names, text) of each.

    Args:
        command: the command.
        ctx: its context.
    """
    found: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Arguments", *SUBJECTS, "Options")}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            found[_heading(command, parameter)].append(_plain(*record))
    return {title: records for title, records in found.items() if records}


def _plain(names: str, text: str) -> tuple[str, str]:
    """Return the help of an option without the names of Python's types.

    >>> _plain("--midi <list[str]>", "part of a port's name")
    ('--midi <str>', "part of a port's name [repeatable]")
    >>> _plain("--slack <int range>", "output buffering [x>=0]")
    ('--slack <int>', 'output buffering [0 or more]')
    """
    text += " [repeatable]" if "<list[" in names else ""
    names = re.sub(r"<list\[(\w+)\]>", r"<\1>", names).replace(" range>", ">")
    return names, re.sub(r"x>=([\d.]+)", r"\1 or more", text)


def _heading(command: Any, parameter: Any) -> str:  # noqa: ANN401 - as above
    if parameter.param_type_name == "argument":
        return "Arguments"
    if command.name not in LONG_COMMANDS:
        return "Options"
    return next((_SUBJECT_OF[name] for name in parameter.opts if name in _SUBJECT_OF), "Options")
