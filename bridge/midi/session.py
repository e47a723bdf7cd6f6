"""The session of a connected device: bytes in, bytes out, without ports or threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.midi.bindings import ControlBindings
from bridge.midi.feedback import Feedback
from bridge.midi.mackie import Mackie
from bridge.midi.messages import Decoder, parse_message
from bridge.midi.pending_changes import PendingChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bridge.midi.map import MidiMap
    from bridge.protocols import MixerControl


class MidiSession:
    """Controls a mixer by a device's messages, and updates the device with the mixer's changes.

    Args:
        mixer: the mixer.
        midi_map: the targets of the device's controls.
        send: callback that sends one message to the device.
        colours: whether the device is an X-Touch, with colours behind its texts.

    Attributes:
        last: the last message and its effect, for users.
        errors: count of invalid messages.
    """

    def __init__(
        self, mixer: MixerControl, midi_map: MidiMap, send: Callable[[bytes], None], *, colours: bool = False
    ) -> None:
        self.last, self.errors = "", 0
        self._name = midi_map.name
        self._decoder = Decoder()
        self._moves = PendingChanges(mixer, self._refused)
        self._feedback = Feedback(send)
        self._controls = ControlBindings(midi_map, self._moves, self._feedback)
        mackie = midi_map.profile == "mackie-control"
        self._mackie = Mackie(mixer, self._feedback, colours=colours) if mackie else None

    def initialize(self) -> None:
        """Send the mixer's state to a device that was just connected."""
        if self._mackie is not None:
            self._mackie.initialize()
        self.refresh()

    def receive(self, data: bytes, now: float) -> None:
        """Process one message; its changes are applied by the next `commit`.

        Args:
            data: the message as bytes.
            now: `time.monotonic`.
        """
        try:
            message = parse_message(data)
        except ValueError as error:
            self._refused(str(error))
            return
        if message.type == "sysex":
            self._sysex(bytes(message.data))
            return
        for event in self._decoder.decode(message):
            done = self._controls.receive(event, now)
            if done:
                self.last = f"{event.address} {event.value}: {done}"
                return
        self.last = f"{message}: not in the map {self._name!r}"

    def _sysex(self, data: bytes) -> None:
        self.last = f"sysex {data[:8].hex(' ')}"
        if self._mackie is not None and self._mackie.receive(data):
            self._feedback.forget_all()
            self.refresh()

    def _refused(self, why: str) -> None:
        self.errors += 1
        self.last = why

    def commit(self) -> None:
        """Apply the pending values as one change of the mixer."""
        self._moves.commit()
        self._controls.correct_motors()
        if self._mackie is not None:
            self._mackie.refresh(self._controls.offset)

    def rebind(self) -> None:
        """Update the bindings after controls of the mixer were added or removed."""
        self._controls.rebind()

    def refresh(self, paths: Collection[str] | None = None) -> None:
        """Send the mixer's state to the device; with ``paths`` only what depends on these."""
        self._controls.refresh(paths)
        if self._mackie is not None:
            self._mackie.refresh(self._controls.offset)

    def tick(self, now: float) -> None:
        """Update, as due: loaded presets, meters, and motor faders at rest.

        Args:
            now: `time.monotonic`.
        """
        self._moves.finish()
        self._controls.tick(now)
        if self._mackie is not None:
            self._mackie.tick(now, self._controls.offset)

    def shutdown(self) -> None:
        """Switch the device's LEDs, texts and meters off."""
        self._controls.clear_feedback()
        if self._mackie is not None:
            self._mackie.clear_feedback()
