"""Benchmarks of a separator in the live engine on this machine."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from stream_sep.backends.offline import OfflineBackend
from stream_sep.backends.paced import PacedBackend
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.engine.worker.separator_info import warm_up
from stream_sep.errors import AudioFileError
from stream_sep.evaluation.signals import delay_between, null_db, resident_bytes
from stream_sep.files.demo_song import load_demo_song
from stream_sep.lowlevel.cpu_steal import cpu_steal_seconds
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Separator, Stems

_HOPS_TIMED = 400
_SECONDS_TIMED = 10.0
_TRUE_BLOCKS = 20000


def measure(
    model: str, options: dict[str, Any], block_size: int, seconds: float, song: Path | None = None
) -> dict[str, Any]:
    """Return all figures of a separator at a block size, as plain values for JSON.

    Args:
        model: the separator.
        options: its options.
        block_size: frames a block.
        seconds: length of the paced run.
        song: played in a loop; the demo song unless given.
    """
    mix, sample_rate = _load_song(song)
    separator = load_separator(model, sample_rate, **options)
    return {
        "model": model,
        "block_size": block_size,
        "sample_rate": sample_rate,
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "separator": time_hops(separator, mix),
        "null_db": streamed_against_offline(separator, mix, block_size),
        "callback_us": time_callback(block_size),
        "control_to_sound_frames": control_to_sound(block_size),
        "paced": run_paced(model, options, mix, sample_rate, block_size=block_size, seconds=seconds),
    }


def time_hops(separator: Separator, mix: Block) -> dict[str, float]:
    """Return the compute time of a hop: p50, p99, max in ms, and the real-time factor, of CPU time so of one core.

    Args:
        separator: the separator to time.
        mix: ``(2, frames)``.
    """
    hop, spent = separator.hop, []
    warm_up(separator)
    cpu, started = time.process_time(), time.perf_counter()
    for number in range(min(_HOPS_TIMED, mix.shape[1] // hop)):
        before = time.perf_counter()
        separator.process(mix[:, number * hop : (number + 1) * hop])
        spent.append(1000 * (time.perf_counter() - before))
        if time.perf_counter() - started > _SECONDS_TIMED:
            break
    cpu = time.process_time() - cpu
    return {
        "hop": hop,
        "latency": separator.latency,
        "hop_ms": 1000 * hop / separator.sample_rate,
        "p50_ms": float(np.percentile(spent, 50)),
        "p99_ms": float(np.percentile(spent, 99)),
        "max_ms": max(spent),
        "real_time_factor": cpu / (len(spent) * hop / separator.sample_rate),
    }


def streamed_against_offline(separator: Separator, mix: Block, block_size: int) -> float:
    """Return the level, in dB, of the difference between the engine's stems and the separator's own.

    Args:
        separator: a name or object.
        mix: ``(2, frames)``.
        block_size: frames of a block.
    """
    rate = separator.sample_rate
    hops = min(mix.shape[1] // separator.hop, max(8, 3 * rate // separator.hop))
    given = mix[:, : hops * separator.hop]
    backend = OfflineBackend(rate, block_size)
    with Engine(backend, EngineConfig(model=separator, worker="inline")) as engine:
        total = engine.latency.engine
        stems = backend.feed(np.pad(given, ((0, 0), (0, total))))[1:]
    separator.reset()
    alone: Stems = np.concatenate(
        [
            separator.process(given[:, at : at + separator.hop]).copy()
            for at in range(0, given.shape[1], separator.hop)
        ],
        axis=2,
    )
    shift = total - separator.latency
    return null_db(alone, stems[..., shift : shift + alone.shape[2]])


def time_callback(block_size: int) -> dict[str, float]:
    """Return the compiled callback's own time, in microseconds, with four stereo stems and moving faders."""
    backend = OfflineBackend(block_size=block_size)
    silence = np.random.default_rng(0).standard_normal((2, block_size * 200)).astype(np.float32) * 0.1
    with Engine(backend, EngineConfig(model="passthrough", worker="inline")) as engine:
        backend.feed(silence)
        engine.reset_timing()
        for turn in range(_TRUE_BLOCKS // 200):
            engine.set("stem/other/gain_db", -turn % 7)
            backend.feed(silence)
        p50, p999, slowest = engine.stats().callback_us
    return {"p50": p50, "p99.9": p999, "max": slowest}


def control_to_sound(block_size: int) -> int:
    """Return how many frames of the next block pass before a fader move changes the sound; 0 is its first frame."""
    backend = OfflineBackend(block_size=block_size)
    ones = np.ones((2, 64 * block_size), np.float32)
    with Engine(backend, EngineConfig(model="passthrough", worker="inline")) as engine:
        backend.feed(ones)
        engine.set("master/gain_db", -20)
        after = backend.feed(ones)[0, 0]
    return int(np.argmax(after < 1))


def run_paced(
    model: str, options: dict[str, Any], mix: Block, sample_rate: int, *, block_size: int, seconds: float
) -> dict[str, Any]:
    """Play in real time with no device and the separator in its own process; return latency, counters, memory.

    Args:
        model: the separator's name.
        options: the separator's options.
        mix: ``(2, frames)``.
        sample_rate: frames per second.
        block_size: frames of a block.
        seconds: length of the run.
    """
    frames = round(seconds * sample_rate)
    source = np.tile(mix, (1, -(-frames // mix.shape[1])))[:, :frames]
    backend = PacedBackend(sample_rate, block_size)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        config = EngineConfig(model=model, options=options, record=Path(folder))
        engine = Engine(backend, config, source=source)
        with engine:
            start_seconds = time.perf_counter() - started
            time.sleep(min(1.0, seconds / 2))
            before, stolen = _memory(engine), cpu_steal_seconds()
            while not engine.source_ended:
                time.sleep(0.05)
            after, stolen = _memory(engine), cpu_steal_seconds() - stolen
        recorded = soundfile.read(Path(folder) / "mix.wav", dtype="float32", always_2d=True, frames=4 * sample_rate)[
            0
        ].T
    stats, latency = engine.stats(), engine.latency
    return {
        "seconds": seconds,
        "start_seconds": start_seconds,
        "latency_frames": dict(latency.terms()),
        "latency_ms": latency.milliseconds(latency.total),
        "measured_frames": latency.total + delay_between(source[:, : recorded.shape[1]], recorded),
        "hops": stats.hops,
        "hop_p99_ms": stats.hop_ms[1],
        "slack_needed": stats.slack_needed,
        "stolen_ms": 1000 * stolen,
        "counters": stats.error_counts,
        "memory_start_mb": before,
        "memory_end_mb": after,
    }


def _load_song(song: Path | None) -> tuple[Block, int]:
    if song is None:
        demo = load_demo_song()
        return demo.mix, demo.sample_rate
    try:
        audio, sample_rate = soundfile.read(song, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise AudioFileError(f"cannot read {song}: {error}; is it an audio file?") from error
    return np.ascontiguousarray(audio.T[[0, -1]]), int(sample_rate)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory(engine: Engine) -> dict[str, float | None]:
    sizes = {
        "engine": resident_bytes(),
        "separator": resident_bytes(engine.worker_pid) if engine.worker_pid else None,
    }
    return {name: None if size is None else round(size / 2**20, 1) for name, size in sizes.items()}
