"""Demucs in a live stream: every pretrained network, fed windows of the music as it plays."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.latency import HEADROOM
from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS
from stream_sep.separators.demucs.networks import Part, load_network, longest_window
from stream_sep.separators.demucs.window_runner import InferenceRunner
from stream_sep.separators.resampled import ResampledSeparator, matching_hop
from stream_sep.separators.torch_device import prepare_torch
from stream_sep.separators.windowed import MARGIN, WindowedSeparator, WindowSizes, sizes_for_budget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_sep.protocols import Block, Separator, Stems

GRID = 1024
"""Windows are a multiple of the networks' STFT hop: any other length makes them invent frames at the end."""

MIN_WINDOW = 4096
"""Frames of the networks' STFT: with less they fail."""

HOP_MS = 600.0
"""Default milliseconds from window to window, where the machine keeps up."""

SHARES = (1.0, 0.75, 0.5, 0.375)
"""Fractions of the requested window, tried in turn until one meets a latency budget."""


class DemucsWindow:
    """One window through the networks that the selected stems need; a `WindowModel`.

    The stem ``other`` is silence here. It is the mix minus the rest, so `WindowedSeparator` fills it in, and
    no network is run for it: ``htdemucs_ft`` needs three of its four networks for all stems, and one for vocals.

    The window goes in as it is, with no normalisation around it. Demucs' own `Separator` first divides a file by
    its standard deviation, unknown in a stream; but every network normalises each window itself and undoes it in
    its output. The outer scale only matters against the 1e-5 added there to the deviation (measured: 0.1 times
    the level changes the shape of the output by -76 dB), and a running estimate would pump for nothing.

    Args:
        parts: the networks, each with its sources and their weights.
        stems: the selected stems in any order; the output has the usual order, with ``other``.
        device: where torch computes.
        precision: ``float32``, or ``bfloat16``, much faster on CPUs that have it. There only some layers of
            HTDemucs compute in it, as in `separate`: 3 to 13 dB less error than the casts of other networks.

    Raises:
        ConfigError: a stem that the networks do not have.
    """

    def __init__(self, parts: Sequence[Part], *, stems: Sequence[str] | None, device: str, precision: str) -> None:
        sources = tuple(parts[0].network.sources)
        self.stems = _in_order(sources, stems)
        self.sample_rate = int(parts[0].network.samplerate)
        self.channels = int(parts[0].network.audio_channels)
        self._runner = InferenceRunner(device, precision)
        selected = [(row, sources.index(name)) for row, name in enumerate(self.stems) if name != "other"]
        self._runs = []
        for part in parts:
            rows = [(row, source, part.weights[source]) for row, source in selected if part.weights[source]]
            if rows:
                self._runs.append((part.network, rows))

    def __call__(self, window: Block) -> Stems:
        """Return the stems, ``(stems, channels, frames)``, of a window, ``(channels, frames)``."""
        stems = np.zeros((len(self.stems), *window.shape), np.float32)
        for network, rows in self._runs:
            parts = self._runner.prepare(network, window)()
            for row, source, weight in rows:
                stems[row] += weight * parts[source]
        return stems

    @property
    def networks(self) -> int:
        """Number of networks that run for each window."""
        return len(self._runs)


def load_demucs(
    *,
    sample_rate: int = 44100,
    model: str = "htdemucs",
    repo: str | Path | None = None,
    stems: Sequence[str] | None = None,
    device: str = "auto",
    context_ms: float = 600,
    hop_ms: float | None = None,
    lookahead_ms: float = 100,
    fade_ms: float = 10,
    budget_ms: float | None = None,
    threads: int | None = None,
    precision: str = "float32",
) -> Separator:
    """Load a Demucs model as a separator for a stream of ``sample_rate``.

    Args:
        sample_rate: frames per second of the stream; the model's own is reached by resampling.
        model: a name or signature that Demucs has (``htdemucs``, ``htdemucs_ft``, ``htdemucs_6s``, ``mdx_extra``
            ...), ``hf://user/name``, or, of random weights, ``tiny`` (for tests) or ``random-htdemucs`` (for timing).
        repo: folder that holds the weights, for a machine that is not connected.
        stems: the stems to separate, all unless given; ``other``, the rest of the mix, always comes too.
        device: ``cpu``, ``cuda``, ``mps``, or the best of them.
        context_ms: milliseconds of the past in a window: free in latency, costs compute.
        hop_ms: milliseconds from window to window; each has to be computed in less. Unless given it is 600 where the
            machine keeps up with that, and else the window is divided anew for the same delay (see ``budget_ms``).
        lookahead_ms: milliseconds of the future in a window: costs latency, and the end of a window sounds worst.
        fade_ms: milliseconds of crossfade between windows.
        budget_ms: milliseconds from sound to stems. The machine is measured, and the window, as long as the four
            sizes together or shorter if it must, is divided anew (see `sizes_for_budget`); ``lookahead_ms`` is the
            least look-ahead.
        threads: CPU threads that torch uses, in the whole process; its own choice unless given.
        precision: ``float32``, or ``bfloat16`` where the device has it.

    Raises:
        SeparatorError: torch or Demucs is not installed, or the model is unknown or its weights are not here.
        ConfigError: an invalid value, or a budget that this machine cannot meet.
    """
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"precision {precision!r} is neither 'float32' nor 'bfloat16'")
    # Before torch is first loaded, or it has no effect: threads that wait by spinning take the cores from each other
    # where other programs run too (measured: with one busy program beside it, 1.1 s a window in place of 1.8 s).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    parts = load_network(model, repo)
    window_model = DemucsWindow(parts, stems=stems, device=prepare_torch(device, threads), precision=precision)
    rate = window_model.sample_rate
    requested = [
        round(ms * rate / 1000) for ms in (context_ms, HOP_MS if hop_ms is None else hop_ms, lookahead_ms, fade_ms)
    ]
    sizes = _on_grid(WindowSizes(*requested), matching_hop(1, rate, sample_rate))
    seconds = HEADROOM * _seconds_per_window(window_model, _checked_length(sizes, longest_window(parts), rate))
    if budget_ms is None and hop_ms is None and seconds * rate > MARGIN * sizes.hop:
        budget_ms = 1000 * (2 * sizes.hop + sizes.lookahead + sizes.fade) / rate
    if budget_ms is not None:
        sizes = _fit(window_model, sizes, budget_ms, matching_hop(1, rate, sample_rate))
    separator = WindowedSeparator(window_model, **vars(sizes))
    return separator if sample_rate == rate else ResampledSeparator(separator, sample_rate)


def _in_order(sources: Sequence[str], stems: Sequence[str] | None) -> tuple[str, ...]:
    selected = sources if stems is None else tuple(stems)
    unknown = [name for name in selected if name not in sources]
    if unknown:
        raise ConfigError(f"this model has no stem {unknown[0]!r}; it has: {', '.join(sources)}")
    if not set(selected) - {"other"}:
        raise ConfigError("select a stem besides 'other', which is the mix minus the selected stems")
    usual = [*STEMS, *(name for name in sources if name not in STEMS)]
    return tuple(name for name in usual if name in selected or name == "other")


def _on_grid(requested: WindowSizes, multiple: int) -> WindowSizes:
    """Lengthen the hop to its multiple, and the context until the window lies on the grid of the STFT."""
    hop = -(-requested.hop // multiple) * multiple
    rest = hop + requested.lookahead + requested.fade
    return replace(requested, hop=hop, context=-(-(requested.context + rest) // GRID) * GRID - rest)


def _checked_length(sizes: WindowSizes, longest: int, rate: int) -> int:
    window: int = sum(vars(sizes).values())
    if not MIN_WINDOW <= window <= longest:
        raise ConfigError(
            f"context, hop, look-ahead and fade make a window of {window / rate:.2f} s; this model takes "
            f"{MIN_WINDOW / rate:.2f} to {longest / rate:.2f} s"
        )
    return window


def _fit(window_model: DemucsWindow, requested: WindowSizes, budget_ms: float, multiple: int) -> WindowSizes:
    """Return sizes for the longest window that meets the budget: more context sounds better, but takes longer."""
    rate, refusal = window_model.sample_rate, ConfigError("no window was tried")
    for share in SHARES:
        window = int(share * sum(vars(requested).values())) // GRID * GRID
        seconds = HEADROOM * _seconds_per_window(window_model, max(window, MIN_WINDOW))
        ahead = (requested.lookahead, max(requested.lookahead, rate // 2))
        try:
            return sizes_for_budget(
                budget_ms, seconds, rate, window=window, fade=requested.fade, lookahead=ahead, multiple=multiple
            )
        except ConfigError as error:
            refusal = error
    raise refusal


def _seconds_per_window(window_model: DemucsWindow, window: int) -> float:
    """Run the model until it is warm: the first time is the slowest, and must not happen while music plays."""
    noise = np.random.default_rng(0).normal(0, 0.1, (window_model.channels, window)).astype(np.float32)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        window_model(noise)
        taken.append(time.perf_counter() - start)
    return max(taken[1:])
