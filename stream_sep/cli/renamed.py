"""Older names of options, which still work but are not listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SURFACES = {"--desk-leads": "--daw-push"}
_ENGINE = {"--chain-reserve": "--effect-latency", "--connect": "--auto-connect", "--no-connect": "--no-auto-connect"}
_LIVE = {
    "--one-clock": "--shared-clock",
    "--no-one-clock": "--no-shared-clock",
    "--drift-ms": "--resampler-ms",
    "--seconds": "--duration",
}

RENAMED: Mapping[str, Mapping[str, str]] = {
    "demo": {"--silent": "--no-audio", "--seconds": "--duration"},
    "live": {**_SURFACES, **_ENGINE, **_LIVE},
    "play": {**_SURFACES, **_ENGINE, "--no-device": "--no-audio", "--seconds": "--duration"},
    "evaluate": {"--full": "--all-metrics", "--validation": "--validation-percent"},
    "train": {"--fresh": "--restart", "--stop-after": "--max-minutes"},
    **{bench: {"--seconds": "--duration"} for bench in ("engine", "jack", "control", "files", "player")},
    "monitor": {"--seconds": "--duration"},
}
"""Command -> older name of an option -> its current name."""


def rename_options(command: str, arguments: Iterable[str]) -> list[str]:
    """Return a command's arguments with the current names of its options.

    >>> rename_options("live", ["--seconds", "3", "--drift-ms=10", "-i", "pulse"])
    ['--duration', '3', '--resampler-ms=10', '-i', 'pulse']
    >>> rename_options("play", ["--", "--seconds"])
    ['--', '--seconds']
    """
    names, renamed, ended = RENAMED.get(command, {}), [], False
    for argument in arguments:
        ended = ended or argument == "--"
        name, equals, value = argument.partition("=")
        renamed.append(argument if ended else names.get(name, name) + equals + value)
    return renamed
