"""Renders ahead of the audio thread, and renders again when a command arrives."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.ring_layout import MIXED
from stream_sep.errors import StreamSepError
from stream_sep.player.streamed_stems import LONG_WARM_UP, SHORT_WARM_UP
from stream_sep.player.timeline import NO_SONG, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.rings import Rings
    from stream_sep.player.commands import PlaybackCommand
    from stream_sep.player.effects import Effects
    from stream_sep.player.playhead_map import PlayheadMap
    from stream_sep.protocols import Separator, Stems

HOP = 256
"""Frames per rendered hop."""
LEAD_SECONDS = 2.0
"""Audio rendered ahead of playback: longer than a process takes to restart."""
FADE_SECONDS = 0.008
"""Length of the crossfade at a jump."""

_MARGIN_SECONDS = 0.012  # between playback and the first hop that may still be replaced
_IDLE_SECONDS = 0.002
_REWARM_FACTOR = 1.5 * LONG_WARM_UP / SHORT_WARM_UP  # duration of a rewarm, in durations of a command
_SPARE_HOPS = 16
_MAX_SKIPPED = 64


class RenderAhead:
    """Renders hops ahead of the audio thread, and renders them again after a command.

    Args:
        separator: the live separator.
        rings: the memory shared with the audio thread.
        playhead_map: receives the song position of every hop.
        report: called with a message when a file cannot be read.
        block: largest block of the audio thread, in frames.
        effects: effect chains on the stems, if any.
    """

    def __init__(
        self,
        separator: Separator,
        rings: Rings,
        playhead_map: PlayheadMap,
        report: Callable[[str], None],
        *,
        block: int,
        effects: Effects | None = None,
    ) -> None:
        rate = separator.sample_rate
        self._rings, self._playhead_map, self._report, self._effects = rings, playhead_map, report, effects
        self._fade = round(FADE_SECONDS * rate)
        self._margin = block + round(_MARGIN_SECONDS * rate)
        self._lead = min(round(LEAD_SECONDS * rate), (rings.layout.slots - 8) * HOP)
        self._timeline = Timeline(separator, self._fade, report)
        self._preparation_frames = 0  # recent duration of applying a command, in frames
        self._next = 0  # next hop to render
        self._last_replaced = 0  # first hop of the last command
        self._is_warm = True
        self._was_starved = False  # the last hop was silent because the song is still being decoded
        self._pending: PlaybackCommand | None = None
        self._pending_sources: PlaybackCommand | None = None
        self._are_effects_new = self._fades_effects = False
        self._lock, self.woken = threading.Lock(), threading.Event()

    def resume(self, command: PlaybackCommand) -> None:
        """Continue where a previous process ended."""
        self._next = max(int(self._rings.positions[MIXED]) // HOP, self._hop_after(0))
        last = self._playhead_map.position_at(int(self._rings.positions[MIXED]) - 1)
        if last is not None and command.song is not None:
            self._timeline.apply(command, last[0] if last[0] != NO_SONG else command.song.number, last[1] + 1)
        if last is None or command.frame is not None:
            self.command(command)

    def command(self, command: PlaybackCommand) -> None:
        """Queue ``command``, to take effect as soon as possible."""
        with self._lock:
            before = self._pending
            jump = before.frame if before is not None and command.frame is None else command.frame
            self._pending = replace(command, frame=jump)
        self.woken.set()

    def rerender(self) -> None:
        """Render the prepared hops again, after a change of effects."""
        with self._lock:
            if self._pending is None:
                self._pending = replace(self._timeline.command, frame=None)
            self._are_effects_new = True
        self.woken.set()

    def update_sources(self, command: PlaybackCommand) -> None:
        """Use new refined stems and the next song, without interrupting playback."""
        with self._lock:
            self._pending_sources = command
        self.woken.set()

    def step(self) -> bool:
        """Apply a pending command, or render the next hop if there is room; return whether anything was done."""
        command, supplied = self._take_pending()
        try:
            if command is not None:
                self._apply_command(command)
                return True
            if supplied is not None:
                self._timeline.update_sources(supplied)
            if not self._is_warm and self._frames_ready >= self._lead - HOP:
                self._rewarm()
                return True
            return self._render_next()
        except StreamSepError as error:
            self._report(str(error))
            return False

    def run(self, stopped: threading.Event) -> None:
        """Step until ``stopped``, with a heartbeat at least every few milliseconds."""
        while not stopped.is_set():
            self._rings.heartbeat(time.monotonic_ns())
            if not self.step():
                self.woken.wait(_IDLE_SECONDS)
                self.woken.clear()

    def close(self) -> None:
        """Close all songs."""
        self._timeline.close()

    def _take_pending(self) -> tuple[PlaybackCommand | None, PlaybackCommand | None]:
        with self._lock:
            taken = self._pending, self._pending_sources
            self._pending = self._pending_sources = None
            self._fades_effects, self._are_effects_new = self._are_effects_new, False
        return taken

    def _apply_command(self, command: PlaybackCommand) -> None:
        """Apply a command from the next hop that can still be replaced; the old audio fades out."""
        begun = self._rings.captured()
        hop = self._hop_after(self._preparation_frames)
        self._timeline.apply(command, *self._position_of(hop, command))
        self._rewind_effects(self._hop_after(0) if command.frame is not None else hop)
        soonest = self._hop_after(0)
        self._preparation_frames = self._rings.captured() - begun
        self._is_warm = False
        self._replace_from(self._catch_up(hop) if command.frame is None else soonest)

    def _rewarm(self) -> None:
        """Replace the prepared hops by those of a separator with a longer warm-up, now that there is time."""
        self._is_warm = True
        hop = max(
            self._hop_after(round(self._preparation_frames * _REWARM_FACTOR)),
            self._last_replaced - (-self._fade // HOP) + 1,
        )
        position = self._playhead_map.position_at(hop * HOP)
        if hop + _SPARE_HOPS > self._next or position is None or not self._timeline.is_live:
            return
        command = replace(self._timeline.command, frame=None)
        self._timeline.apply(command, *position, warm_up_seconds=LONG_WARM_UP, should_cancel=self._is_urgent)
        if not self._is_urgent():
            self._rewind_effects(hop)
            self._replace_from(self._catch_up(hop))
        elif last := self._playhead_map.position_at(self._next * HOP - 1):
            self._timeline.apply(command, last[0], last[1] + 1)  # continue as before

    def _is_urgent(self) -> bool:
        """Return whether a command is pending, or little prepared audio is left."""
        return self._pending is not None or self._frames_ready < self._lead // 2

    @property
    def _frames_ready(self) -> int:
        """Frames prepared ahead of playback."""
        return self._next * HOP - self._rings.captured()

    def _catch_up(self, hop: int) -> int:
        """Skip hops that are too late to replace; return the first that is not."""
        for late in range(hop, hop + _MAX_SKIPPED):
            if late >= self._hop_after(0):
                return late
            self._timeline.render(HOP)
        return self._hop_after(0)  # if it cannot keep up, the song waits

    def _replace_from(self, hop: int) -> None:
        """Discard the rendered audio from a hop on, to render it again."""
        self._last_replaced = hop
        if hop:
            fading = self._read_fade(hop, self._rings.read_ahead)
            self._timeline.fade_out_from(fading if self._effects is None else self._read_fade(hop, self._effects.dry))
            if self._effects is not None:  # they process the jump fade; only replaced effects must fade as well
                self._effects.replace_from(hop, fading if self._fades_effects else None)
        self._rings.set_mix_end(hop * HOP)
        for number in range(hop, self._next):
            self._rings.mark_skipped(number)
            self._playhead_map.clear_hop(number)
        self._next = hop

    def _hop_after(self, frames: int) -> int:
        """Return the first hop that can still be replaced after ``frames`` of preparation."""
        captured = self._rings.captured()
        return -(-(captured + self._margin + frames) // HOP) if captured else 0

    def _position_of(self, hop: int, command: PlaybackCommand) -> tuple[int, float]:
        """Return the song's number and its frame at a hop."""
        if command.song is None or command.frame is not None:
            return (NO_SONG if command.song is None else command.song.number), float(command.frame or 0)
        song, frame = (
            self._playhead_map.position_at(hop * HOP) if hop < self._next else None
        ) or self._timeline.position[:2]
        return (song, frame) if song != NO_SONG else (command.song.number, 0.0)

    def _read_fade(self, hop: int, read: Callable[[int], Stems]) -> Stems:
        """Return the prepared audio from a hop on, one fade long; silence where there is none."""
        hops = [read(number) for number in range(hop, hop - (-self._fade // HOP))]
        return np.concatenate(hops, axis=2)[..., : self._fade]

    def _rewind_effects(self, hop: int) -> None:
        if self._effects is not None:
            self._effects.rewind(hop)

    def _render_next(self) -> bool:
        captured = self._rings.captured()
        starved = not self._timeline.can_render(HOP)
        if self._frames_ready >= self._lead or (
            starved and (captured == 0 or self._frames_ready > self._margin + 2 * HOP)
        ):
            return False
        if self._next * HOP < captured:  # rendering fell behind playback: skip to the next hop that is in time
            self._rings.count_jump()
            self._next = self._hop_after(0)
        started = time.perf_counter_ns()
        song, frame, speed = self._timeline.position
        if self._was_starved and not starved:
            self._timeline.fade_out_from(np.zeros_like(self._read_fade(self._next, self._rings.read_ahead)))
        self._was_starved = starved
        sound = self._timeline.render_silence(HOP) if starved else self._timeline.render(HOP)
        if self._effects is not None:
            sound = self._effects.render(self._next, sound)
        self._playhead_map.write(self._next, song, frame, 0.0 if starved else speed)
        self._rings.write_mix(self._next * HOP, sound[0])
        self._rings.publish(self._next, sound[1:])
        self._rings.count_hop(time.perf_counter_ns() - started)
        self._next += 1
        return True
