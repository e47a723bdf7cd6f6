"""Benchmarks of the player: time to first sound, and to stems after a seek."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.backends.paced import PacedBackend
from stream_sep.engine.config import EngineConfig
from stream_sep.player.engine import PlayEngine
from stream_sep.player.song_stems import open_stems, refined_share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_sep.player.refiner import Refinement

_POLL_SECONDS = 0.0005
_TIMEOUT = 10.0
_MAX_LAG = 0.3  # seconds behind a target that still count as the target


def measure_play(
    song: Path,
    model: str,
    options: dict[str, Any],
    *,
    block_size: int = 128,
    seeks: int = 200,
    seconds: float = 20.0,
    refinement: Refinement | None = None,
) -> dict[str, Any]:
    """Return the time to first sound and of seeks, as plain values for JSON.

    It plays in real time without a device, with the separator in its own process.

    Args:
        song: the file.
        model: the live separator.
        options: its options.
        block_size: frames a block.
        seeks: how many random jumps to time.
        seconds: how long to track the end of the refined stems, with a ``refinement``.
        refinement: how stems are refined during playback.
    """
    begun = time.monotonic()
    config = EngineConfig(model=model, options=options)
    engine = PlayEngine(PacedBackend(block_size=block_size), [song], config, refinement=refinement)
    ready = time.monotonic()
    with engine:
        _wait(lambda: engine.frames_played > 0)
        first = time.monotonic()
        edge = [] if refinement is None else _watch_edge(engine, seconds)
        jumps = _time_jumps(engine, seeks)
    return {
        "model": model,
        "block_size": block_size,
        "start_seconds": ready - begun,
        "first_sound_ms": 1000 * (first - ready),
        "seeks": seeks,
        "seek_to_stems_ms": {
            "p50": float(np.percentile(jumps, 50)),
            "p95": float(np.percentile(jumps, 95)),
            "max": max(jumps),
        },
        "refined_edge": edge,
        "counters": engine.stats().error_counts,
    }


def _time_jumps(engine: PlayEngine, seeks: int) -> list[float]:
    """Return, in milliseconds, the times until stems at the target were played."""
    draw = random.Random(0)  # noqa: S311 - a fair choice of targets, nothing secret
    longest = float(engine.controls["transport/length"]) - 2 * _MAX_LAG
    jumps = []
    for _ in range(seeks):
        time.sleep(draw.uniform(0.05, 0.15))
        target = draw.uniform(0.0, max(longest, 0.0))
        if abs(target - engine.transport.position) < 2 * _MAX_LAG:
            target = (target + longest / 2) % longest
        requested = time.monotonic()
        engine.set("transport/seek", target)
        _wait(lambda: _is_at(engine, target))  # noqa: B023 - called at once
        jumps.append(1000 * (time.monotonic() - requested))
    return jumps


def _is_at(engine: PlayEngine, target: float) -> bool:
    position = engine.transport.exact_position
    return position is not None and 0 <= position - target < _MAX_LAG


def _watch_edge(engine: PlayEngine, seconds: float) -> list[dict[str, float]]:
    """Return, once a second, the position, the edge of refined stems ahead of it, and their share of the song."""
    found = []
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds and not engine.source_ended:
        refined, position = engine.playlist.current.refined, engine.transport.position
        found.append(
            {
                "seconds": now,
                "position": position,
                "edge": _edge(refined, position, engine),
                "share": refined_share(refined),
            }
        )
        time.sleep(1.0)
    return found


def _edge(refined: dict[str, Any] | None, position: float, engine: PlayEngine) -> float:
    """Return the second up to which all is refined from a position on."""
    if refined is None:
        return position
    stems, rate = open_stems(refined), engine.sample_rate
    frame = round(position * rate)
    while (until := stems.ready_until(frame)) > frame and until / rate < float(engine.controls["transport/length"]):
        frame = until
    stems.close()
    return min(until / rate, float(engine.controls["transport/length"]))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
