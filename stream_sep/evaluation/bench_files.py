"""Speed of ``stream-sep separate`` against the ``demucs`` command, and memory use for a long song.

Every command runs in its own process and is measured by the system when it ends. The weights of the comparison
are random ones of a full-size HTDemucs, so that neither command has an advantage.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.separators.demucs.networks import SOURCES, load_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RATE = 44100

# the same first random number as in ours, so that both shift the song by as much
_DEMUCS = ("-P", "-c", "import random; random.seed(0); from demucs.separate import main; main()", "--float32")
_OURS = ("-P", "-m", "stream_sep", "separate", "--bits", "32", "--cache-gb", "0", "--overwrite")
# A small process between: to the system, the memory of whoever starts a process is memory of that process too.
_MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Taken:
    """Time and memory of a command.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: of all processors.
        peak_gb: gigabytes of memory it held when it held most.
    """

    seconds: float
    cpu_seconds: float
    peak_gb: float


def compare_with_demucs(seconds: float, model: str = "random-htdemucs", rounds: int = 2) -> dict[str, Any]:
    """Separate one song with both commands in turn; return the times, their ratio, and how far stems differ.

    Args:
        seconds: of the song.
        model: of random weights, a name in `demucs_networks.RANDOM`.
        rounds: how often each command runs; the fastest counts.

    Raises:
        SeparatorError: Demucs is not installed, or a command failed.
    """
    taken: dict[str, list[Taken]] = {"demucs": [], "stream-sep": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        song = write_song(folder / "song.wav", seconds)
        repo = _write_weights(folder / "repo", model)
        settings = ["-n", "random", "--repo", str(repo), "-d", "cpu", "--clip-mode", "none", str(song)]
        for _ in range(rounds):
            taken["demucs"].append(run_measured([*_DEMUCS, "-o", str(folder / "demucs"), *settings]))
            taken["stream-sep"].append(run_measured([*_OURS, "-o", str(folder / "ours"), *settings]))
        stems = {stem: f"random/song/{stem}.wav" for stem in SOURCES}
        nulls = {stem: round(_null_db(folder / "demucs" / f, folder / "ours" / f), 1) for stem, f in stems.items()}
    best = {name: _fastest(runs) for name, runs in taken.items()}
    return {
        "song_seconds": seconds,
        "model": model,
        **{name: vars(run) for name, run in best.items()},
        "times_faster": round(best["demucs"].seconds / best["stream-sep"].seconds, 2),
        "times_less_cpu": round(best["demucs"].cpu_seconds / best["stream-sep"].cpu_seconds, 2),
        "null_db": nulls,
    }


def measure_memory(seconds: float, model: str) -> dict[str, Any]:
    """Separate a long song and one of two minutes; return how much memory each took.

    Args:
        seconds: of the long one.
        model: any that ``separate`` takes.

    Raises:
        SeparatorError: the command failed.
    """
    peaks = {}
    for name, length in (("two_minutes", 120.0), ("song", seconds)):
        with tempfile.TemporaryDirectory() as scratch:
            song = write_song(Path(scratch) / "song.wav", length)
            peaks[name] = run_measured([*_OURS, "-n", model, "-o", scratch, str(song)])
    return {"song_seconds": seconds, "model": model, **{name: vars(taken) for name, taken in peaks.items()}}


def write_song(path: Path, seconds: float) -> Path:
    """Write noise and tones that come and go; return the path.

    Args:
        path: the file to write.
        seconds: its length.
    """
    if seconds <= 0:
        raise ConfigError(f"a song cannot be {seconds:g} s long")
    draw = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="FLOAT", format="RF64") as file:
        for start in range(0, int(seconds * RATE), _BLOCK):
            frames = min(_BLOCK, int(seconds * RATE) - start)
            tones = _tones(np.arange(start, start + frames) / RATE)
            file.write(0.03 * tones[:, None] + 0.03 * draw.standard_normal((frames, 2)))
    return path


def run_measured(arguments: Sequence[str]) -> Taken:
    """Run Python with arguments, and measure time and memory.

    Raises:
        SeparatorError: it failed.
    """
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-P", "-c", _MEASURE, sys.executable, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, check=True)  # noqa: S603 - ourselves, no shell
        status, seconds, cpu, kilobytes = json.loads(done.stdout)
        if status:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise SeparatorError(f"{' '.join(arguments[:3])} ... failed: {' '.join(last) or status}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return Taken(round(seconds, 2), round(cpu, 2), round(kilobytes * unit / 1e9, 3))


def _tones(t: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros_like(t)
    for turn, pitch in enumerate((55, 220, 440, 1250)):
        total += np.sin(2 * np.pi * pitch * t) * (1 + np.sin(t * turn))
    return total


def _fastest(runs: Sequence[Taken]) -> Taken:
    columns = zip(*(vars(run).values() for run in runs), strict=True)
    return Taken(*(min(column) for column in columns))


def _write_weights(folder: Path, model: str) -> Path:
    """Write a network of random weights as Demucs keeps its own; return the folder."""
    network = load_network(model)[0].network
    import torch  # noqa: PLC0415 - heavy, and here once Demucs is

    folder.mkdir()
    arguments, settings = network._init_args_kwargs  # noqa: SLF001 - as Demucs itself saves
    package = {"klass": type(network), "args": arguments, "kwargs": settings, "state": network.state_dict()}
    torch.save(package, folder / "random.th")
    return folder


def _null_db(file: Path, other: Path) -> float:
    error = energy = 0.0
    with soundfile.SoundFile(file) as one, soundfile.SoundFile(other) as two:
        for expected, got in zip(one.blocks(_BLOCK), two.blocks(_BLOCK), strict=True):
            error += float(np.square(got - expected).sum())
            energy += float(np.square(expected).sum())
    return float(10 * np.log10(error / (energy + 1e-30) + 1e-30))
