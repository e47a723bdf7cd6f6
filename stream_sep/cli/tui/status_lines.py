"""The lines below the strips: the engine's state, and the last input of a surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_sep.cli.tui.protocols import TuiEngine, TuiSurface

_MAX_ACRONYM = 4  # OSC, MIDI, DAW


def engine_line(engine: TuiEngine) -> str:
    """Return the status of the engine, in one line."""
    values, stats, latency = engine.controls.snapshot(), engine.stats(), engine.latency
    losses = {"late hops": stats.late_hops, "xruns": stats.xruns, "restarts": stats.restarts}
    parts = [
        str(values["engine/model"]),
        str(values["engine/state"]),
        f"latency {latency.milliseconds(latency.total):.1f} ms",
        f"load {100 * float(values['engine/load']):.0f} %",
        *(f"{name} {count}" for name, count in losses.items() if count),
        *([] if any(losses.values()) else ["nothing lost"]),
        *([f"preset {values['preset']}"] if values["preset"] else []),
        *(["KARAOKE"] if values.get("karaoke") else []),
        *(["BYPASS"] if values["bypass"] else []),
    ]
    return "  ".join(part for part in parts if part)


def surface_line(surface: TuiSurface) -> str:
    """Return the last message that a surface received, and its number of invalid messages."""
    name = type(surface).__name__.removesuffix("Surface").removesuffix("Server")
    name = name.upper() if len(name) <= _MAX_ACRONYM else name
    errors = f"   ({surface.errors} ignored)" if surface.errors else ""
    return printable(f"{name}: {surface.last or 'no message yet'}{errors}")


def printable(text: str) -> str:
    """Return a text from the network with ``?`` in place of terminal control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
