"""MIDI ports through RtMidi: ALSA, JACK, Core MIDI, Windows MM."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from bridge.midi_ports import PortNames
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT = "stream_sep midi"
"""What ALSA and JACK call our side of a connection."""

_POLLED = "jack"  # RtMidi would call us on JACK's own thread, and one that waits for Python is late for its cycle
_POLL_S = 0.003
_QUEUE = 4096


@contextlib.contextmanager
def _as_bridge_error(what: str) -> Iterator[None]:
    rtmidi = _rtmidi()
    try:
        yield
    # RtMidi's errors are OSError, NotImplementedError and others by their kind, and have no base of their own that
    # every release exports
    except (rtmidi.RtMidiError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BridgeError(f"{what}: {error}") from error


def _rtmidi() -> Any:  # noqa: ANN401 - it ships no types
    try:
        import rtmidi  # noqa: PLC0415 - optional, and it loads the system's MIDI
    except ImportError as error:
        raise BridgeError("MIDI needs python-rtmidi: pip install 'stream-sep[midi]'") from error
    return rtmidi


def _apis(wanted: str | None) -> list[tuple[str, int]]:
    """Return name and number of the systems to try in turn."""
    rtmidi = _rtmidi()
    compiled = {rtmidi.get_api_name(api): api for api in rtmidi.get_compiled_api()}
    if wanted is None:
        return list(compiled.items())
    if wanted not in compiled:
        raise BridgeError(f"there is no MIDI system {wanted!r} here; there are: {', '.join(compiled)}")
    return [(wanted, compiled[wanted])]


class RtMidiLink:
    """A connection through RtMidi; see `MidiLink`."""

    def __init__(
        self,
        source: Any,  # noqa: ANN401 - RtMidi ships no types
        sink: Any,  # noqa: ANN401
        names: tuple[str, str | None],
        receive: Callable[[bytes], None],
        api: str,
    ) -> None:
        self.input, self.output = names
        self.poll_s = _POLL_S if api == _POLLED else None
        self._source, self._sink, self._receive = source, sink, receive
        if self.poll_s is None:
            source.set_callback(lambda event, _: receive(bytes(event[0])))

    def poll(self) -> None:
        """See `MidiLink.poll`."""
        while (event := self._source.get_message()) is not None:
            self._receive(bytes(event[0]))

    def send(self, message: bytes) -> None:
        """See `MidiLink.send`."""
        if self._sink is not None:
            with _as_bridge_error(f"cannot send to MIDI port {self.output!r}"):
                self._sink.send_message(message)

    def close(self) -> None:
        """See `MidiLink.close`."""
        ends, self._source, self._sink = (self._source, self._sink), None, None
        for end in ends:
            if end is not None:
                end.close_port()
                end.delete()


class RtMidiPorts:
    """The system's ports through RtMidi: ALSA, JACK, Core MIDI or Windows MM; see `MidiPorts`.

    Args:
        api: ``alsa``, ``jack``, ``core`` or ``winmm``; None for the first that works.

    Attributes:
        api: the one that is used.

    Raises:
        BridgeError: RtMidi is not installed, or no MIDI system runs.
    """

    def __init__(self, api: str | None = None) -> None:
        rtmidi = _rtmidi()
        failures = []
        for name, number in _apis(api):
            try:
                self._source_names = rtmidi.MidiIn(rtapi=number, name=CLIENT)
                self._sink_names = rtmidi.MidiOut(rtapi=number, name=CLIENT)
            except (rtmidi.RtMidiError, OSError) as error:
                failures.append(f"{name} ({error})")
                continue
            self.api, self._number = name, number
            return
        raise BridgeError(f"no MIDI system runs here; tried {', '.join(failures) or 'none'}")

    def names(self) -> PortNames:
        """See `MidiPorts.names`."""
        with _as_bridge_error("cannot list MIDI ports"):
            inputs, outputs = self._source_names.get_ports(), self._sink_names.get_ports()
        return PortNames(
            *(tuple(name for name in names if not name.startswith(CLIENT)) for names in (inputs, outputs))
        )

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> RtMidiLink:
        """See `MidiPorts.open`."""
        with contextlib.ExitStack() as undo:
            with _as_bridge_error(f"cannot open MIDI port {input_name!r}; another program may have it"):
                source = self._make("MidiIn", undo)
                source.open_port(self._place(source, input_name), "in")
                sink = None
                if output_name is not None:
                    sink = self._make("MidiOut", undo)
                    sink.open_port(self._place(sink, output_name), "out")
            link = RtMidiLink(source, sink, (input_name, output_name), receive, self.api)
            undo.pop_all()
        return link

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> RtMidiLink:
        """See `MidiPorts.open_virtual`."""
        remedy = "install loopMIDI and give the name of its port" if sys.platform == "win32" else "give a port's name"
        with contextlib.ExitStack() as undo:
            with _as_bridge_error(f"this system makes no virtual MIDI port {name!r}; {remedy}"):
                source, sink = self._make("MidiIn", undo), self._make("MidiOut", undo)
                source.open_virtual_port(name)
                sink.open_virtual_port(name)
            link = RtMidiLink(source, sink, (name, name), receive, self.api)
            undo.pop_all()
        return link

    def _make(self, kind: str, undo: contextlib.ExitStack) -> Any:  # noqa: ANN401 - it ships no types
        options = {"queue_size_limit": _QUEUE} if kind == "MidiIn" else {}
        end = getattr(_rtmidi(), kind)(rtapi=self._number, name=CLIENT, **options)
        undo.callback(end.delete)
        if kind == "MidiIn":
            end.ignore_types(sysex=False, timing=True, active_sense=True)
        return end

    @staticmethod
    def _place(end: Any, name: str) -> int:  # noqa: ANN401 - it ships no types
        names = end.get_ports()
        if name not in names:
            raise BridgeError(f"MIDI port {name!r} has gone")
        return int(names.index(name))

    def close(self) -> None:
        """See `MidiPorts.close`."""
        self._source_names.delete()
        self._sink_names.delete()


def list_midi_ports(api: str | None = None) -> PortNames:
    """Return the names of the system's MIDI ports.

    Raises:
        BridgeError: RtMidi is not installed, or no MIDI system runs.
    """
    ports = RtMidiPorts(api)
    try:
        return ports.names()
    finally:
        ports.close()
