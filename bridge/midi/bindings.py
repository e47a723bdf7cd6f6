"""The bindings of a map: events of a device move the mixer, changes of the mixer move the device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.midi.led_ring import ring
from bridge.midi.messages import RELATIVE, encode, from_position, to_position
from bridge.midi.pickup import Pickup
from bridge.midi.targets import Target, find_target, is_effect
from stream_sep.effects.controls import UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bridge.midi.address import Address
    from bridge.midi.feedback import Feedback
    from bridge.midi.map import Control, MidiMap
    from bridge.midi.messages import Event
    from bridge.midi.pending_changes import PendingChanges

SETTLE_S = 0.2
"""How long a motor fader without touch sensing rests before its position is sent to it, in seconds."""

_SNAP_DB = {7: 0.25, 14: 0.04}  # 7 bits do not reach 0 dB exactly; a motor fader sends 14 bits and measures 10
_MOTOR_SNAP_DB = 0.1  # an endless knob that snaps back further could never be turned past 0 dB


@dataclass(frozen=True)
class Binding:
    """A control of the map and the control of the mixer that it moves now, if there is one."""

    control: Control
    target: Target | None


class ControlBindings:
    """The controls of one device.

    Args:
        midi_map: their targets.
        moves: receives the values.
        feedback: sends messages to the device.
    """

    def __init__(self, midi_map: MidiMap, moves: PendingChanges, feedback: Feedback) -> None:
        self._map, self._moves, self._feedback = midi_map, moves, feedback
        self._stems = moves.mixer.stems
        self._pickups: dict[Address, Pickup] = {}
        self._touched: set[Address] = set()
        self._settling: dict[Address, float] = {}
        self._moved: set[Binding] = set()
        self.offset = 0
        self._bind()

    def _bind(self) -> None:
        self._bound = [Binding(control, self._target(control)) for control in self._map.controls]
        self._by_source: dict[Address, list[Binding]] = {}
        for one in self._bound:
            self._by_source.setdefault(one.control.source, []).append(one)
        self._by_touch = {one.control.touch: one for one in self._bound if one.control.touch is not None}

    def _target(self, control: Control) -> Target | None:
        target = find_target(control.to, self._stems, low=control.low, high=control.high, offset=self.offset)
        if target is None or not self._has(target.path):
            return None
        return self._ranged(target, control) if is_effect(control.to) and target.law == "linear" else target

    def _ranged(self, target: Target, control: Control) -> Target:
        """Return a target with the range of the effect's parameter where the map sets none."""
        parameter = self._moves.mixer.controls.parameters[target.path]
        if parameter.high >= UNBOUNDED:
            return target
        low = parameter.low if control.low is None else control.low
        return replace(target, low=low, high=parameter.high if control.high is None else control.high)

    def _has(self, path: str) -> bool:
        return path in self._moves.mixer.controls.parameters

    def rebind(self) -> None:
        """Resolve the map's targets again, after controls of the mixer were added or removed."""
        self._bind()
        self.refresh()

    def receive(self, event: Event, now: float) -> str:
        """Apply an event; return a description of its effect, for users.

        Args:
            event: the event.
            now: `time.monotonic`.

        Returns:
            The description; empty where the map does not list the control.
        """
        done = [self._move(bound, event, now) for bound in self._by_source.get(event.address, [])]
        if event.address in self._by_touch:
            done.append(self._touch(self._by_touch[event.address], down=event.pressed))
        return ", ".join(done)

    def _touch(self, bound: Binding, *, down: bool) -> str:
        source = bound.control.source
        if down:
            self._touched.add(source)
            return f"{bound.control.to} touched"
        self._touched.discard(source)
        self._settling.pop(source, None)
        self._feedback.forget(source)  # its motor holds only a position that is sent to it
        self._moves.commit()
        self._show(bound)
        return f"{bound.control.to} released"

    def _move(self, bound: Binding, event: Event, now: float) -> str:
        control, target = bound.control, bound.target
        if control.mode == "press":
            return self._act(control.to) if event.pressed else control.to
        if target is None:
            return f"{control.to} is not there"
        if control.mode == "absolute":
            self._moved.add(bound)
            return self._travel(control, target, event, now)
        value = self._moves[target.path]
        if control.mode in RELATIVE:
            position = target.position(value) + control.step * RELATIVE[control.mode](event.value)
            self._moves[target.path] = target.value(min(max(position, 0.0), 1.0))
        elif control.mode in {"hold", "latch"}:
            self._moves[target.path] = target.value(float(event.pressed))
        elif event.pressed:
            toggled = target.value(float(target.position(value) < 0.5))
            self._moves[target.path] = toggled if control.mode == "toggle" else self._moves.default(target.path)
        return self._describe(target)

    def _describe(self, target: Target) -> str:
        value = self._moves[target.path]
        return f"{target.path} {value:.2f}" if isinstance(value, float) else f"{target.path} {value}"

    def _travel(self, control: Control, target: Target, event: Event, now: float) -> str:
        source, bits = control.source, event.bits
        if control.motor:
            self._feedback.shows(source, encode(source, event.value << (source.bits - bits)))
            if control.touch is not None and source not in self._touched:
                self._settling[source] = now + SETTLE_S
        there = target.position(self._moves[target.path])
        position = to_position(event.value, bits, centred=target.centred)
        if not control.motor and self._map.pickup:
            pickup = self._pickups.get(source, Pickup())
            self._pickups[source] = pickup.moved(position, target=there, step=1 / ((1 << bits) - 1))
            if not self._pickups[source].caught:
                way = "up" if position < there else "down"
                return f"{target.path} waits at {there:.2f}: move {way} from {position:.2f}"
        # the value that the control has already, at the resolution of the message, is no move
        if from_position(there, bits, centred=target.centred) != event.value:
            snap = min(_SNAP_DB[bits], _MOTOR_SNAP_DB) if control.motor else _SNAP_DB[bits]
            self._moves[target.path] = target.value(position, snap)
        return self._describe(target)

    def _act(self, to: str) -> str:
        what, _, name = to.partition("/")
        if what == "preset":
            self._moves.recall(name)
        elif to == "solo/clear":
            for path in self._solos():
                self._moves[path] = False
        elif what in {"bank", "channel"}:
            self._shift(to)
        elif self._has(to):
            self._moves[to] = True
        return to

    def _shift(self, to: str) -> None:
        width = self._map.bank if to.startswith("bank/") else 1
        offset = self.offset + (width if to.endswith("right") else -width)
        self.offset = min(max(offset, 0), max(len(self._stems) - self._map.bank, 0))
        self._moves.commit()
        self._bind()
        self.refresh()

    def _solos(self) -> list[str]:
        return [path for path in (f"stem/{stem}/solo" for stem in self._stems) if self._has(path)]

    def refresh(self, paths: Collection[str] | None = None) -> None:
        """Send the mixer's state to the device; with ``paths`` only what depends on these."""
        for bound in self._bound:
            if paths is None or bound.target is None or bound.target.path in paths:
                self._show(bound)

    def correct_motors(self) -> None:
        """Send motor faders back where the mixer did not accept their moves; call it after a commit."""
        moved, self._moved = self._moved, set()
        for bound in moved:
            if bound.control.motor:
                self._show(bound)

    def tick(self, now: float) -> None:
        """Send their positions to motor faders at rest."""
        due = [source for source, when in self._settling.items() if when <= now]
        for source in due:
            del self._settling[source]
            self._feedback.forget(source)
            for bound in self._by_source[source]:
                self._show(bound)

    def clear_feedback(self) -> None:
        """Switch all LEDs and rings off, as when the program ends; motors stay."""
        for control in self._map.controls:
            if control.led is not None:
                self._feedback.show(control.led, encode(control.led, control.led_off))

    def _show(self, bound: Binding) -> None:
        control, target = bound.control, bound.target
        position = 0.0 if target is None else target.position(self._moves[target.path])
        if control.motor and control.source not in self._touched and control.source not in self._settling:
            self._send_position(control.source, target, position)
        if control.led is None:
            return
        if control.led_style == "ring":
            lights = 0 if target is None else ring(target, position)
            self._feedback.show(control.led, encode(control.led, lights))
        elif control.mode == "absolute" or control.mode in RELATIVE:
            self._send_position(control.led, target, position)
        else:
            lit = self._lit(control.to) if target is None else position >= 0.5
            self._feedback.show(control.led, encode(control.led, control.led_on if lit else control.led_off))

    def _send_position(self, address: Address, target: Target | None, position: float) -> None:
        value = from_position(position, address.bits, centred=target is not None and target.centred)
        self._feedback.show(address, encode(address, value))

    def _lit(self, to: str) -> bool:
        what, _, name = to.partition("/")
        lit: Mapping[str, bool] = {
            "preset": bool(name) and self._has("preset") and self._moves["preset"] == name,
            "solo": any(self._moves[path] for path in self._solos()),
            "bank": self._can_shift(right=name == "right"),
            "channel": self._can_shift(right=name == "right"),
        }
        return lit.get(what, False)

    def _can_shift(self, *, right: bool) -> bool:
        return self.offset < len(self._stems) - self._map.bank if right else self.offset > 0
