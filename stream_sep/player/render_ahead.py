"""Keeps the rings full of what is to be heard, and changes it from the next moment on when it is told to."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.rings import MIXED
from stream_sep.errors import StreamSepError
from stream_sep.player.streamed_stems import LONG_WARM_UP, SHORT_WARM_UP
from stream_sep.player.timeline import NO_SONG, Programme

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.rings import Rings
    from stream_sep.player.commands import Orders
    from stream_sep.player.effects import Effects
    from stream_sep.player.playhead_map import Board
    from stream_sep.protocols import Separator, Stems

HOP = 256
"""Frames that are rendered at once."""
LEAD_SECONDS = 2.0
"""So much lies ready ahead of what is heard: longer than a process takes to come back."""
FADE_SECONDS = 0.008
"""Length of the crossfade at a jump."""

_MARGIN_SECONDS = 0.012  # between what is being heard and what may still be changed
_NAP_SECONDS = 0.002
_SETTLING = 1.5 * LONG_WARM_UP / SHORT_WARM_UP  # the time it takes to settle, in those that orders take
_SPARE_HOPS = 16
_MOST_LEFT_OUT = 64


class Feeder:
    """Renders hops ahead of the audio thread, and renders them anew when orders come.

    Args:
        separator: the live separator.
        rings: the memory shared with the audio thread.
        board: is told what lies where.
        report: is told what cannot be read.
        block: the most frames the audio thread takes at once.
        effects: what the stems go through, if there can be effects.
    """

    def __init__(
        self,
        separator: Separator,
        rings: Rings,
        board: Board,
        report: Callable[[str], None],
        *,
        block: int,
        effects: Effects | None = None,
    ) -> None:
        rate = separator.sample_rate
        self._rings, self._board, self._report, self._effects = rings, board, report, effects
        self._fade = round(FADE_SECONDS * rate)
        self._margin = block + round(_MARGIN_SECONDS * rate)
        self._lead = min(round(LEAD_SECONDS * rate), (rings.layout.slots - 8) * HOP)
        self._programme = Programme(separator, self._fade, report)
        self._prepared = 0  # frames of time that following orders took of late
        self._next = 0  # hop to render
        self._turned = 0  # hop from which the last orders are heard
        self._is_settled = True
        self._waits = False  # whether the last hop was silent because the song is still being decoded
        self._waiting: Orders | None = None
        self._supplied: Orders | None = None
        self._are_effects_new = self._fades_effects = False
        self._lock, self.woken = threading.Lock(), threading.Event()

    def join(self, orders: Orders) -> None:
        """Go on where another process, which is gone, ended."""
        self._next = max(int(self._rings.positions[MIXED]) // HOP, self._hop_after(0))
        last = self._board.at(int(self._rings.positions[MIXED]) - 1)
        if last is not None and orders.song is not None:
            self._programme.follow(orders, last[0] if last[0] != NO_SONG else orders.song.number, last[1] + 1)
        if last is None or orders.frame is not None:
            self.order(orders)

    def order(self, orders: Orders) -> None:
        """Have ``orders`` followed, from a moment to come that is as near as can be."""
        with self._lock:
            before = self._waiting
            jump = before.frame if before is not None and orders.frame is None else orders.frame
            self._waiting = replace(orders, frame=jump)
        self.woken.set()

    def refresh(self) -> None:
        """Render what lies ready anew, as the effects are others now."""
        with self._lock:
            if self._waiting is None:
                self._waiting = replace(self._programme.orders, frame=None)
            self._are_effects_new = True
        self.woken.set()

    def supply(self, orders: Orders) -> None:
        """Take up refined stems and the next song, while all goes on as it does."""
        with self._lock:
            self._supplied = orders
        self.woken.set()

    def step(self) -> bool:
        """Follow orders, or render the next hop where there is room for it; return whether anything was done."""
        orders, supplied = self._take_orders()
        try:
            if orders is not None:
                self._follow(orders)
                return True
            if supplied is not None:
                self._programme.supply(supplied)
            if not self._is_settled and self._ahead >= self._lead - HOP:
                self._settle()
                return True
            return self._render_next()
        except StreamSepError as error:
            self._report(str(error))
            return False

    def run(self, stopped: threading.Event) -> None:
        """Step until ``stopped``, with a sign of life at least every few milliseconds."""
        while not stopped.is_set():
            self._rings.beat(time.monotonic_ns())
            if not self.step():
                self.woken.wait(_NAP_SECONDS)
                self.woken.clear()

    def close(self) -> None:
        """Let go of all songs."""
        self._programme.close()

    def _take_orders(self) -> tuple[Orders | None, Orders | None]:
        with self._lock:
            taken = self._waiting, self._supplied
            self._waiting = self._supplied = None
            self._fades_effects, self._are_effects_new = self._are_effects_new, False
        return taken

    def _follow(self, orders: Orders) -> None:
        """Go on as ordered from the next hop that can still be changed; what lay ready fades out under it."""
        begun = self._rings.captured()
        hop = self._hop_after(self._prepared)
        self._programme.follow(orders, *self._place(hop, orders))
        self._rewind_effects(self._hop_after(0) if orders.frame is not None else hop)
        soonest = self._hop_after(0)
        self._prepared = self._rings.captured() - begun
        self._is_settled = False
        self._turn_to(self._catch_up(hop) if orders.frame is None else soonest)

    def _settle(self) -> None:
        """Now that there is time, begin anew with a separator that has heard more of what comes before."""
        self._is_settled = True
        hop = max(self._hop_after(round(self._prepared * _SETTLING)), self._turned - (-self._fade // HOP) + 1)
        place = self._board.at(hop * HOP)
        if hop + _SPARE_HOPS > self._next or place is None or not self._programme.is_live:
            return
        orders = replace(self._programme.orders, frame=None)
        self._programme.follow(orders, *place, warm_up=LONG_WARM_UP, give_up=self._is_urgent)
        if not self._is_urgent():
            self._rewind_effects(hop)
            self._turn_to(self._catch_up(hop))
        elif last := self._board.at(self._next * HOP - 1):
            self._programme.follow(orders, last[0], last[1] + 1)  # go on as before

    def _is_urgent(self) -> bool:
        """Tell whether there are other orders, or little is left of what lies ready."""
        return self._waiting is not None or self._ahead < self._lead // 2

    @property
    def _ahead(self) -> int:
        """Frames that lie ready."""
        return self._next * HOP - self._rings.captured()

    def _catch_up(self, hop: int) -> int:
        """Leave out hops for which it is too late, if it took longer than of late; return the first that is not."""
        for late in range(hop, hop + _MOST_LEFT_OUT):
            if late >= self._hop_after(0):
                return late
            self._programme.render(HOP)
        return self._hop_after(0)  # what cannot keep up lets the song wait

    def _turn_to(self, hop: int) -> None:
        """Replace what lies ready, from a hop on, by what is rendered from now on."""
        self._turned = hop
        if hop:
            fading = self._from(hop, self._rings.read_ahead)
            self._programme.fade_from(fading if self._effects is None else self._from(hop, self._effects.dry))
            if self._effects is not None:  # which hear the jump fade; only where they are others, they must fade too
                self._effects.turn(hop, fading if self._fades_effects else None)
        self._rings.mixed(hop * HOP)
        for number in range(hop, self._next):
            self._rings.skip(number)
            self._board.erase(number)
        self._next = hop

    def _hop_after(self, frames: int) -> int:
        """Return the first hop that can be changed if it takes so many frames of time until then."""
        captured = self._rings.captured()
        return -(-(captured + self._margin + frames) // HOP) if captured else 0

    def _place(self, hop: int, orders: Orders) -> tuple[int, float]:
        """Return the song and its frame at a hop."""
        if orders.song is None or orders.frame is not None:
            return (NO_SONG if orders.song is None else orders.song.number), float(orders.frame or 0)
        song, frame = (self._board.at(hop * HOP) if hop < self._next else None) or self._programme.place[:2]
        return (song, frame) if song != NO_SONG else (orders.song.number, 0.0)

    def _from(self, hop: int, read: Callable[[int], Stems]) -> Stems:
        """Return what lies ready from a hop on, as long as a fade; silence where nothing does."""
        hops = [read(number) for number in range(hop, hop - (-self._fade // HOP))]
        return np.concatenate(hops, axis=2)[..., : self._fade]

    def _rewind_effects(self, hop: int) -> None:
        if self._effects is not None:
            self._effects.rewind(hop)

    def _render_next(self) -> bool:
        captured = self._rings.captured()
        waits = not self._programme.can_render(HOP)
        if self._ahead >= self._lead or (waits and (captured == 0 or self._ahead > self._margin + 2 * HOP)):
            return False
        if self._next * HOP < captured:  # something took too long: the song waited, and goes on now
            self._rings.count_jump()
            self._next = self._hop_after(0)
        started = time.perf_counter_ns()
        song, frame, speed = self._programme.place
        if self._waits and not waits:
            self._programme.fade_from(np.zeros_like(self._from(self._next, self._rings.read_ahead)))
        self._waits = waits
        sound = self._programme.rest(HOP) if waits else self._programme.render(HOP)
        if self._effects is not None:
            sound = self._effects.render(self._next, sound)
        self._board.write(self._next, song, frame, 0.0 if waits else speed)
        self._rings.mix_ahead(self._next * HOP, sound[0])
        self._rings.publish(self._next, sound[1:])
        self._rings.count_hop(time.perf_counter_ns() - started)
        self._next += 1
        return True
