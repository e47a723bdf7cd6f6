"""Measures the plug-in: late hops in real time, time in its audio callback, start, and whether bounces are exact."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from bridge.benchmarks.plugin_instance import PluginInstance
from bridge.plugin.build import compile_plugin, shipped_binary, this_system
from bridge.plugin.host import PluginHost
from bridge.plugin.locations import SOCKET_VARIABLE
from bridge.plugin.models import plugin_latency
from bridge.plugin.session import MODELS
from stream_sep import Engine, EngineConfig, PacedBackend, StemSeparator
from stream_sep.errors import SeparatorError
from stream_sep.evaluation.signals import cpu_percent
from stream_sep.lowlevel.thread_priority import raise_audio_priority

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 44100
BLOCKS = (32, 64, 128, 256, 512, 1024, 2048)
"""Block sizes of the table of latencies."""

_START_TIMEOUT = 120.0
_RUNNING = 2
_SETTLE_SECONDS = 1.0
_IDLE_SECONDS = 5.0
_SEPARATING = tuple(name for name in MODELS if name != "passthrough")


def latency_table() -> list[str]:
    """Return a table in Markdown: a row for each of `BLOCKS`, a column for models of equal latency, in frames."""
    columns: dict[tuple[int, ...], list[str]] = {}
    for model in _SEPARATING:
        frames = tuple(plugin_latency(model, RATE, block) for block in BLOCKS)
        columns.setdefault(frames, []).append(f"`{model}`")
    head = ["block", *(", ".join(models) for models in columns.values())]
    rows = [
        head,
        ["---:"] * len(head),
        *zip(map(str, BLOCKS), *(map(str, frames) for frames in columns), strict=True),
    ]
    return [f"| {' | '.join(row)} |" for row in rows]


def measure_plugin(model: str, block_size: int, blocks: int, instances: int) -> dict[str, object]:
    """Play noise through the plug-in in real time and offline.

    Args:
        model: one of `MODELS`.
        block_size: frames per block.
        blocks: how many in real time.
        instances: how many play at once.

    Returns:
        Figures by name: latency in frames, and by how much it exceeds that of `live` at this block size; late hops of
        all instances; microseconds in the audio callback; seconds from activation to the first stems; percent of a
        core that an instance takes while the DAW does not call it; speed of an offline render in times real time, its
        largest difference from `StemSeparator`, and that between the sum of the stems and the main output.

    Raises:
        SeparatorError: no separator came.
        ConfigError: the plug-in cannot be compiled.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        binary = shipped_binary(this_system()) or folder / "plugin"
        if not binary.exists():
            compile_plugin(binary)
        stack.enter_context(patch.dict(os.environ, {SOCKET_VARIABLE: str(folder / "s")}))
        stack.enter_context(_host(str(folder / "s")))
        opened = [PluginInstance(binary, RATE, block_size) for _ in range(instances)]
        for instance in opened:
            stack.callback(instance.close)
            instance["model"] = MODELS.index(model)
        audio = stack.enter_context(ThreadPoolExecutor(1, initializer=_become_audio_thread))
        started = time.perf_counter()
        for instance in opened:
            instance.activate()
        audio.submit(_play_paced, opened, None, block_size).result()
        seconds = time.perf_counter() - started
        audio.submit(_play_paced, opened, round(_SETTLE_SECONDS * RATE / block_size), block_size).result()
        late = sum(instance["late_hops"] for instance in opened)
        times = audio.submit(_play_paced, opened, blocks, block_size).result()
        late = sum(instance["late_hops"] for instance in opened) - late
        time.sleep(_SETTLE_SECONDS)
        return {
            "latency": opened[0].latency,
            "over the engine": opened[0].latency - _engine_latency(model, block_size),
            "late hops": int(late),
            "callback p50": float(np.percentile(times, 50)) / 1000,
            "callback p99.9": float(np.percentile(times, 99.9)) / 1000,
            "start": seconds,
            "idle %": cpu_percent(_IDLE_SECONDS) / instances,
            **_bounce(opened[0], model, block_size),
        }


def _engine_latency(model: str, block_size: int) -> int:
    """Return the frames between input and output of an engine without the plug-in."""
    with Engine(PacedBackend(RATE, block_size), EngineConfig(model=model)) as engine:
        return engine.latency.engine


def _become_audio_thread() -> None:
    """Give this thread the priority that a DAW gives its own, above the separators'."""
    raise_audio_priority([threading.get_native_id()])


@contextmanager
def _host(address: str) -> Iterator[None]:
    """Run a host in this process."""
    host, stopped = PluginHost(print, address=address, linger=0), threading.Event()
    thread = threading.Thread(target=host.serve, args=(stopped,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        host.close()


def _play_paced(instances: list[PluginInstance], blocks: int | None, block_size: int) -> list[int]:
    """Play ``blocks`` in real time, or until all instances have stems; return the nanoseconds of each call."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2, block_size)).astype(np.float32)
    started, times, number = time.perf_counter(), list[int](), 0
    while number < blocks if blocks is not None else any(one["state"] != _RUNNING for one in instances):
        if blocks is None and time.perf_counter() - started > _START_TIMEOUT:
            raise SeparatorError(f"no separator started within {_START_TIMEOUT:g} s")
        time.sleep(max(0.0, started + number * block_size / RATE - time.perf_counter()))
        for instance in instances:
            began = time.perf_counter_ns()
            instance.run(noise)
            times.append(time.perf_counter_ns() - began)
        number += 1
    return times


def _bounce(instance: PluginInstance, model: str, block_size: int) -> dict[str, float]:
    """Render offline, and compare with the separator without the plug-in."""
    song = np.random.default_rng(1).uniform(-0.3, 0.3, (2, 10 * RATE)).astype(np.float32)
    instance["vocals_mute"] = 1.0
    instance.set_offline(offline=True)
    instance.activate()
    latency = instance.latency
    padded = np.pad(song, ((0, 0), (0, latency + block_size)))
    starts = range(0, padded.shape[1] - block_size + 1, block_size)
    started = time.perf_counter()
    parts = [instance.run(padded[:, first : first + block_size]).copy() for first in starts]
    seconds = time.perf_counter() - started
    out = np.concatenate(parts, axis=1)[:, latency : latency + song.shape[1]]
    reference = StemSeparator(model).process(song, RATE)[1:].sum(axis=0)
    frames = out.shape[1]
    return {
        "offline speed": 10 / seconds,
        "offline error": float(np.abs(out[:2] - reference[:, :frames]).max()),
        "sum error": float(np.abs(out[2:].reshape(4, 2, -1).sum(axis=0) - out[:2]).max()),
    }
