"""PortAudio backend: the compiled callback runs on the sound card's thread."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stream_sep.backends.adaptive_resampler import CAPACITY, TAPS, AdaptiveResampler
from stream_sep.backends.base import channel_map
from stream_sep.backends.callback import portaudio_callback
from stream_sep.backends.devices import find_device, unsupported_reason
from stream_sep.backends.portaudio_library import (
    is_active,
    open_stream,
    portaudio,
    rescan,
    skip_terminate,
    would_hang_on_close,
)
from stream_sep.errors import ConfigError, DeviceError
from stream_sep.lowlevel.thread_priority import raise_audio_priority, thread_ids
from stream_sep.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.audio.state import AudioState
    from stream_sep.backends.audio_device import AudioDevice, Kind

DRIFT_MS = 20.0
"""Latency of the resampler between two clocks: Windows delivers 10 ms at a time."""

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.5
_STOP_SECONDS = 1.5
_MAX_MISSED_POLLS = 4  # polls without a block before a stream that reports itself active counts as dead


class PortAudioBackend:
    """Plays through a sound card, and reconnects by itself when the card comes back.

    Args:
        input: number of the device to record from, or part of its name; the default one unless given.
        output: the same for the device to play on.
        sample_rate: frames per second.
        block_size: frames of a block.
        outputs: bus (``"main"`` or a stem) -> the first of its two device channels, counted from 1; the main mix
            on channels 1 and 2 unless given.
        input_channels: device channels to take left and right from, counted from 1; the first two unless given,
            both sides from the one channel of a mono device.
        playback_only: open no input; for an engine with a ``source``.
        one_clock: input and output share one clock, as halves of one card that PortAudio lists as two devices;
            otherwise audio is resampled between the clocks of two devices.
        drift_ms: latency of the resampler between two clocks, to cover both devices' blocks and scheduling delays.
        report: callback that receives a message when the device is disconnected or back.

    Raises:
        DeviceError: no such device, or one that does not support the settings.
        ConfigError: invalid channels.
    """

    wants_recording = False

    def __init__(
        self,
        *,
        input: int | str | None = None,  # noqa: A002 - the word a user would use
        output: int | str | None = None,
        sample_rate: int = 44100,
        block_size: int = 128,
        outputs: Mapping[str, int] | None = None,
        input_channels: tuple[int, int] | None = None,
        playback_only: bool = False,
        one_clock: bool = False,
        drift_ms: float = DRIFT_MS,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        if block_size < 1:
            raise ConfigError(f"block size {block_size} is not at least 1 frame")
        self.sample_rate = sample_rate
        self.block_size = block_size
        self.playback_only = playback_only
        self._pairs = dict(outputs or {MAIN: 1})
        self._report = report
        self._output = find_device(output, "output")
        self._outputs = self._open_width(self._output, "output", _last_channel(self._pairs))
        self._input = None if playback_only else find_device(input, "input")
        self.input_map, self.inputs = self._plan_input(input_channels)
        self._resampler = None if one_clock else self._span_clocks(drift_ms)
        self._streams: tuple[Any, ...] = ()
        self._state: AudioState | None = None
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def compile(self) -> None:
        """Compile, or load, the callback."""
        portaudio_callback()

    def output_map(self, stems: tuple[str, ...]) -> tuple[int, ...]:
        """Return the bus channel for each channel of the output device; see `channel_map`.

        Raises:
            ConfigError: a stem that the separator does not have.
        """
        for bus in self._pairs:
            if bus not in (MAIN, *stems):
                raise ConfigError(f"no stem {bus!r} to play; choose from {', '.join((MAIN, *stems))}")
        return channel_map(self._outputs, self._pairs, stems)

    def start(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        """Open and start the stream.

        Args:
            state: of the audio thread.
            between_blocks: not used, as PortAudio calls compiled code.
        """
        del between_blocks  # no Python runs between the blocks of a sound card
        if self.playback_only and not (state.record["source"][0] or state.record["prerendered"][0]):
            raise ConfigError("a backend with playback_only=True needs an engine with a source, or songs, to play")
        self._state = state
        self._open()
        self._watcher = threading.Thread(target=self._watch, name="portaudio watcher", daemon=True)
        self._watcher.start()

    def complete(self, latency: LatencyReport) -> LatencyReport:
        """Return ``latency`` with the latency that the device reports, input and output together."""
        latencies = [stream.latency for stream in self._streams]
        seconds = sum(one if isinstance(one, float) else sum(one) for one in latencies)
        drift = 0 if self._resampler is None else self._resampler.reserve
        return replace(latency, device=round(seconds * self.sample_rate), drift=drift)

    def stop(self) -> None:
        """Close the stream; harmless when already closed."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join(_STOP_SECONDS)
            if self._watcher.is_alive():  # a driver hangs, which may still use the state
                return
        self._close()
        self._state = None

    def _plan_input(self, chosen: tuple[int, int] | None) -> tuple[tuple[int, int], int]:
        if self._input is None:
            return (0, 1), 2  # never read: the engine has a source
        if chosen is None:
            chosen = (1, 1) if self._input.inputs == 1 else (1, 2)
        if min(chosen) < 1:
            raise ConfigError(f"input channels {chosen} are counted from 1")
        width = self._open_width(self._input, "input", max(chosen))
        return (chosen[0] - 1, chosen[1] - 1), width

    def _open_width(self, device: AudioDevice, kind: Kind, needed: int) -> int:
        """Return how many channels to open: as few as needed, or all on cards that accept only that."""
        most = device.channels(kind)
        if needed > most:
            raise DeviceError(
                f"{device.name!r} has {most} {kind} channels, not {needed}: choose others, or another device"
            )
        refused = unsupported_reason(device, kind, needed, self.sample_rate)
        if refused and unsupported_reason(device, kind, most, self.sample_rate):
            remedy = f"try {device.default_sample_rate} Hz (--sample-rate {device.default_sample_rate})"
            raise DeviceError(f"{device.name!r} does not support {self.sample_rate} Hz {kind} ({refused}): {remedy}")
        return most if refused else needed

    def _span_clocks(self, drift_ms: float) -> AdaptiveResampler | None:
        if self._input is None or _share_clock(self._input, self._output):
            return None
        least, most = 1000 * (self.block_size + TAPS) / self.sample_rate, 1000 * CAPACITY / 4 / self.sample_rate
        if not least <= drift_ms <= most:
            raise ConfigError(
                f"resampler latency {drift_ms} ms is not from {least:.1f} to {most:.0f} at this block size"
            )
        self._report(
            f"{self._input.name!r} and {self._output.name!r} have separate clocks: audio is resampled between them,"
            f" which adds {drift_ms:g} ms of latency"
        )
        reserve = round(drift_ms * self.sample_rate / 1000)
        return AdaptiveResampler(self.sample_rate, self.inputs, self.input_map, reserve)

    def _open(self) -> None:
        module, state, resampler = portaudio(), self._state, self._resampler
        assert state is not None
        given, played, widths = (
            None if self._input is None else self._input.index,
            self._output.index,
            (self.inputs, self._outputs),
        )
        settings = {"samplerate": self.sample_rate, "blocksize": self.block_size}
        if resampler is None:
            self._streams = (open_stream(module, (given, played), widths, state.address, **settings),)
        else:
            resampler.restart()
            state.set_pointer("resampler", resampler.address)
            output = open_stream(module, (None, played), widths, state.address, **settings)
            self._streams = (output,)
            self._streams = (output, open_stream(module, (given, None), widths, resampler.address, **settings))
        self._start_streams()

    def _start_streams(self) -> None:
        before = thread_ids()
        try:
            for stream in self._streams:
                stream.start()
        except portaudio().PortAudioError as error:
            self._close()
            raise DeviceError(f"{self._output.name!r} does not start: {error}; is it in use?") from error
        if "ALSA" in self._output.host_api:  # where PortAudio's thread has normal priority
            raise_audio_priority(thread_ids() - before)

    def _close(self) -> None:
        streams, self._streams = self._streams, ()
        for stream in streams:
            if would_hang_on_close(stream, self._output):
                skip_terminate()
                return
            stream.abort()
            stream.close()

    def _watch(self) -> None:
        seen, idle = -1, 0
        while not self._stopped.wait(_POLL_SECONDS):
            assert self._state is not None
            blocks = self._state.counters()["blocks"]
            idle = idle + 1 if blocks == seen else 0
            seen = blocks
            if idle >= _MAX_MISSED_POLLS or not all(map(is_active, self._streams)):
                self._on_loss()
                idle = 0

    def _on_loss(self) -> None:
        stuck = any(would_hang_on_close(stream, self._output) for stream in self._streams)
        self._close()
        if stuck:
            self._report("the JACK server is gone: start it again, then stream_sep")
            self._stopped.set()
            return
        self._report(f"the device {self._output.name!r} is gone; waiting for it to come back")
        self._wait_for_return()

    def _wait_for_return(self) -> None:
        module = portaudio()
        while not self._stopped.wait(_POLL_SECONDS):
            try:
                rescan()
                self._find_again()
                if not self._stopped.is_set():
                    self._open()
            except (DeviceError, module.PortAudioError) as error:
                _log.debug("still gone: %s", error)
            else:
                self._report(f"the device {self._output.name!r} is back")
                return

    def _find_again(self) -> None:
        self._output = find_device(self._output.full_name, "output")
        if self._input is not None:
            self._input = find_device(self._input.full_name, "input")


def _last_channel(pairs: Mapping[str, int]) -> int:
    taken: dict[int, str] = {}
    for bus, first in pairs.items():
        if first < 1:
            raise ConfigError(f"output channel {first} of {bus!r} is below 1, the first")
        for channel in (first, first + 1):
            if channel in taken:
                raise ConfigError(
                    f"{taken[channel]!r} and {bus!r} both use output channel {channel}; assign different channels"
                )
            taken[channel] = bus
    return max(taken)


def _share_clock(given: AudioDevice, played: AudioDevice) -> bool:
    return given.index == played.index or (given.host_api == played.host_api and "JACK" in given.host_api)
