"""The state of the audio thread, laid out as plain memory behind one address.

The callback receives only that address. Sizes never change while audio runs; gains arrive as whole snapshots;
counters are written by the audio thread alone and may be read by any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached, store_release

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.audio.rings import Rings
    from stream_sep.protocols import Block

SNAPSHOTS = 16
"""Mix snapshots kept: a reader would have to miss fifteen changes within one block to read a torn one."""
SNAPSHOT_EXTRA = 4
"""Numbers after the gains of a snapshot: bypass, limiter, frames of the ramp, and the frame it begins at."""
METERS_EXTRA = 2
"""Meter rows after those of the buses: one for each channel of the input."""
TIME_BINS = 4096
"""Bins of the callback's histogram of durations; the last one holds everything longer."""
TIME_BIN_NS = 250
"""Width of a bin in nanoseconds."""

SNAPSHOT_HEAD, RECORD_HEAD, RECORD_TAIL = 0, 8, 16  # a cache line apart
_LOCAL_POSITIONS = 24

_SIZES = (
    "channels", "stems", "hop", "max_block", "capacity", "slots", "prefill", "delay", "fade", "hold", "carrier",
    "inputs", "outputs", "record_capacity", "source_frames", "snapshot_size", "prerendered", "stems_sum_to_mix",
    "on_failure", "dry_fade",
)  # fmt: skip
_ADDRESSES = (
    "capture", "positions", "tags", "hops", "dry", "input", "buses", "gains", "start_gains", "target_gains",
    "ramp_begins", "ramp_ends", "snapshots", "local", "limiter",
    "input_map", "output_map", "recording", "meters", "histogram", "weights", "dry_weights", "offsets",
    "source",
    "port_buffer", "input_ports", "output_ports", "resampler",
)  # fmt: skip
_RUNNING = (
    "wet", "hold_left", "edge", "searching", "last_missed", "snapshot_seen", "bypass", "recording_on", "unity",
    "unity_from", "limiter_on", "clock_frame", "clock_ns", "dry_level", "extra_delay",
)  # fmt: skip
COUNTERS = (
    "blocks", "frames", "late_hops", "dry_frames", "input_overflows", "input_underflows", "output_overflows",
    "output_underflows", "bad_input", "clipped", "record_dropped", "max_ns", "source_end", "behind_ms",
)  # fmt: skip

DRY, MUTE, FADE = 0, 1, 2
"""What plays where stems are missing: the dry sound, silence, or the dry sound fading out."""

RECORD = np.dtype([(name, np.int64) for name in (*_SIZES, *_ADDRESSES, *_RUNNING, *COUNTERS)])
"""The memory behind the callback's one argument: sizes, addresses, running state, counters."""


class AudioState:
    """The arrays of the audio thread, and the record through which compiled code accesses them.

    Args:
        rings: the rings shared with the separator.
        prefill: frames of stems that are ready ahead of the callback.
        delay: frames of the dry path, prefill plus the separator's latency.
        carrier: index of the stem whose bus plays the dry sound when stems are missing.
        max_block: most frames processed at once.
        input_map: for each channel of the mix, the device channel it comes from, counted from 0.
        inputs: channels of the input device.
        output_map: for each channel of the output device the bus channel it plays, -1 for silence. Bus channels
            0 and 1 are the main mix, then two for each stem.
        fade: frames of the crossfade between stems and dry sound.
        hold: frames for which stems must have arrived in time again before they are played.
        record_frames: frames of the ring between the audio thread and the recorder; 0 records nothing.
        source: ``(channels, frames)`` to play in place of a device's input, or None.
        prerendered: there is no input; the writer of the stem ring also writes the mix, with `Rings.write_mix`.
        stems_sum_to_mix: whether the stems add up to the input, so that the mix at unity gains is the input.
        on_failure: `DRY`, `MUTE` or `FADE`: what plays where stems are missing and faders are not at unity.
        fade_out: frames that `FADE` takes.
    """

    def __init__(
        self,
        rings: Rings,
        *,
        prefill: int,
        delay: int,
        carrier: int,
        max_block: int = 1024,
        inputs: int = 2,
        input_map: tuple[int, ...] = (0, 1),
        output_map: tuple[int, ...] = (0, 1),
        fade: int = 256,
        hold: int = 4410,
        record_frames: int = 0,
        source: Block | None = None,
        prerendered: bool = False,
        stems_sum_to_mix: bool = True,
        on_failure: int = DRY,
        fade_out: int = 44100,
    ) -> None:
        layout = rings.layout
        channels, buses = layout.channels, (1 + layout.stems) * layout.channels
        self._ramps = np.ones((3, buses))  # of each gain: its target, the length of its ramp, and the first frame
        snapshot_size = self._ramps.size + 2  # and bypass and limiter
        self._record = np.zeros(1, RECORD)
        self._arrays: dict[str, NDArray[np.generic]] = {
            "capture": rings.capture,
            "positions": rings.positions,
            "tags": rings.tags,
            "hops": rings.hops,
            "dry": np.zeros((channels, max_block), np.float32),
            "input": np.zeros((channels, max_block), np.float32),
            "buses": np.zeros((buses, max_block), np.float32),
            "gains": np.ones((buses, max_block), np.float32),
            "start_gains": np.ones(buses, np.float32),
            "target_gains": np.ones(buses, np.float32),
            "ramp_begins": np.zeros(buses, np.int64),
            "ramp_ends": np.zeros(buses, np.int64),
            "limiter": np.ones(1, np.float32),
            "snapshots": np.ones((SNAPSHOTS, snapshot_size), np.float64),
            "local": np.zeros(_LOCAL_POSITIONS, np.int64),
            "input_map": np.array(input_map, np.int64),
            "output_map": np.array(output_map, np.int64),
            "recording": np.zeros((max(record_frames, 1), buses), np.float32),
            "meters": np.zeros(buses + METERS_EXTRA, np.float32),
            "histogram": np.zeros(TIME_BINS, np.int64),
            "weights": np.zeros(max_block, np.float32),
            "dry_weights": np.zeros(max_block, np.float32),
            "offsets": np.zeros(max_block, np.int64),
            "input_ports": np.zeros(max(inputs, 1), np.int64),
            "output_ports": np.zeros(max(len(output_map), 1), np.int64),
        }
        if source is not None:
            self._arrays["source"] = np.ascontiguousarray(source, np.float32)
        self._fill(
            channels=channels, stems=layout.stems, hop=layout.hop, capacity=layout.capacity, slots=layout.slots,
            max_block=max_block, prefill=prefill, delay=delay, fade=fade, hold=hold, carrier=carrier,
            inputs=inputs, outputs=len(output_map), record_capacity=record_frames, snapshot_size=snapshot_size,
            source_frames=0 if source is None else source.shape[1],
            prerendered=int(prerendered), stems_sum_to_mix=int(stems_sum_to_mix), wet=fade, last_missed=-1,
            recording_on=int(record_frames > 0),
            on_failure=on_failure, dry_fade=fade_out if on_failure == FADE else fade,
            dry_level=fade_out if on_failure == FADE else fade,
        )  # fmt: skip

    def _fill(self, **values: int) -> None:
        for name, array in self._arrays.items():
            self._record[name] = array.ctypes.data
        for name, value in values.items():
            self._record[name] = value

    @property
    def address(self) -> int:
        """Address of the record, for compiled code; valid as long as this object lives."""
        return self._record.ctypes.data

    @property
    def record(self) -> NDArray[np.void]:
        """The record itself, for callbacks called from Python and for tests."""
        return self._record

    def array(self, name: str) -> NDArray[np.generic]:
        """Return one of the arrays, by its field's name."""
        return self._arrays[name]

    def delay_by(self, frames: int) -> None:
        """Set the latency added since the start, in frames, from the next block on."""
        self._record["extra_delay"] = frames

    def set_pointer(self, name: str, address: int) -> None:
        """Set the address of a C function or record for compiled code; before audio runs.

        Args:
            name: the field.
            address: the function's address.
        """
        self._record[name] = address

    def counters(self) -> dict[str, int]:
        """Return the current values of the counters."""
        return {name: int(self._record[name][0]) for name in COUNTERS}

    def meters(self) -> NDArray[np.float32]:
        """Return the decaying peaks: bus channels, then the input's channels."""
        return self._arrays["meters"].astype(np.float32)

    def durations(self) -> NDArray[np.int64]:
        """Return the histogram of callback durations, in bins of `TIME_BIN_NS`."""
        return self._arrays["histogram"].astype(np.int64)

    def clear_durations(self) -> None:
        """Reset the histogram of durations, as after a warm-up."""
        self._arrays["histogram"][:] = 0
        self._record["max_ns"] = 0

    def publish(self, snapshot: NDArray[np.float64]) -> None:
        """Publish a whole new mix to the audio thread; one caller at a time.

        Laid out as gains of the main channels, gains of each stem's channels, then `SNAPSHOT_EXTRA`. Gains that
        change ramp there; a ramp begins with the next block, or at the frame given where that is still to come.
        Gains that changed with an earlier mix keep its ramp, also where no block comes between the two.
        """
        gains, switches, ramp = snapshot[:-SNAPSHOT_EXTRA], snapshot[-SNAPSHOT_EXTRA:-2], snapshot[-2:]
        changed = gains != self._ramps[0]
        self._ramps[0, changed], self._ramps[1:, changed] = gains[changed], ramp[:, None]
        whole = np.concatenate([self._ramps.ravel(), switches])
        _publish(self._arrays["local"], self._arrays["snapshots"], whole)  # type: ignore[arg-type]

    def set_mix_now(self, snapshot: NDArray[np.float64]) -> None:
        """Set all gains to ``snapshot`` without a ramp; only before audio runs."""
        self._arrays["start_gains"][:] = self._arrays["target_gains"][:] = snapshot[:-SNAPSHOT_EXTRA]
        self.publish(snapshot)

    def frame_at(self, nanoseconds: int, sample_rate: int) -> int:
        """Return the frame of the stream that is processed at a time of the monotonic clock.

        Extrapolated from the last block, so it is off by that callback's scheduling delay.

        Args:
            nanoseconds: monotonic clock.
            sample_rate: frames per second.
        """
        frame, then = int(self._record["clock_frame"][0]), int(self._record["clock_ns"][0])
        return frame + round((nanoseconds - then) * sample_rate / 1e9)


@njit_cached
def _publish(local: NDArray[np.int64], snapshots: NDArray[np.float64], snapshot: NDArray[np.float64]) -> None:
    head = local[SNAPSHOT_HEAD] + 1
    for k in range(len(snapshot)):  # assigning all of it takes two seconds to compile
        snapshots[head % snapshots.shape[0], k] = snapshot[k]
    store_release(local, SNAPSHOT_HEAD, head)
