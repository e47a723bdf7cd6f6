"""MIDI ports through RtMidi: ALSA, Core MIDI, Windows MM."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from bridge.midi.ports import PortNames
from stream_sep.errors import BridgeError, reason
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT = "stream_sep midi"
"""Name of our ALSA client."""

_SYSTEMS = ("alsa", "core", "winmm")  # not JACK: it would be four clients, polled for messages
_QUEUE = 4096
# The last release, 1.5.8, has wheels up to 3.12. rtmidi2 has later ones, but a C++ exception, such as that of a port
# which another program has, ends the process there.
_NO_PACKAGE = (3, 13)


@contextlib.contextmanager
def _as_bridge_error(what: str) -> Iterator[None]:
    rtmidi = _rtmidi()
    try:
        yield
    # RtMidi's errors are OSError, NotImplementedError and others by their kind, without a common base class that
    # every release exports
    except (rtmidi.RtMidiError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BridgeError(f"{what}: {reason(error)}") from error


def _rtmidi() -> Any:  # noqa: ANN401 - it ships no types
    try:
        import rtmidi  # noqa: PLC0415 - optional, and it loads the system's MIDI
    except ImportError as error:
        raise BridgeError(f"MIDI needs python-rtmidi{_obstacle()}; {install_hint('midi')}") from error
    return rtmidi


def _obstacle() -> str:
    """Return what keeps pip from installing python-rtmidi; empty where there is a package for this Python."""
    if sys.version_info < _NO_PACKAGE:
        return ""
    python = ".".join(map(str, sys.version_info[:2]))
    return (
        f", which has no ready-made package for Python {python}: install stream_sep with Python 3.12 or 3.11, "
        "or this with a C++ compiler"
    )


def rtmidi_systems() -> dict[str, int]:
    """Return RtMidi's number of each system it was built with, without JACK.

    Raises:
        BridgeError: RtMidi is not installed.
    """
    rtmidi = _rtmidi()
    numbers = {rtmidi.get_api_name(number): number for number in rtmidi.get_compiled_api()}
    return {name: number for name, number in numbers.items() if name in _SYSTEMS}


class RtMidiPort:
    """A connection through RtMidi; see `MidiPort`."""

    disconnected = False

    def __init__(
        self,
        source: Any,  # noqa: ANN401 - RtMidi ships no types
        sink: Any,  # noqa: ANN401
        names: tuple[str, str | None],
        receive: Callable[[bytes], None],
    ) -> None:
        self.input, self.output = names
        self._source, self._sink = source, sink
        source.set_callback(lambda event, _: receive(bytes(event[0])))

    def send(self, message: bytes) -> None:
        """See `MidiPort.send`."""
        if self._sink is not None:
            with _as_bridge_error(f"cannot send to MIDI port {self.output!r}"):
                self._sink.send_message(message)

    def close(self) -> None:
        """See `MidiPort.close`."""
        ends, self._source, self._sink = (self._source, self._sink), None, None
        for end in ends:
            if end is not None:
                end.close_port()
                end.delete()


class RtMidiPorts:
    """A system's ports through RtMidi; see `MidiPorts`.

    Args:
        api: ``alsa``, ``core`` or ``winmm``.

    Attributes:
        api: the same.

    Raises:
        BridgeError: RtMidi is not installed, or that system does not run.
    """

    def __init__(self, api: str) -> None:
        self.api, self._number = api, rtmidi_systems()[api]
        with _as_bridge_error(f"{api} does not respond"), contextlib.ExitStack() as undo:
            self._source_names = self._make("MidiIn", undo)
            self._sink_names = self._make("MidiOut", undo)
            undo.pop_all()

    def names(self) -> PortNames:
        """See `MidiPorts.names`."""
        with _as_bridge_error("cannot list MIDI ports"):
            inputs, outputs = self._source_names.get_ports(), self._sink_names.get_ports()
        return PortNames(
            *(tuple(name for name in names if not name.startswith(CLIENT)) for names in (inputs, outputs))
        )

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> RtMidiPort:
        """See `MidiPorts.open`."""
        with contextlib.ExitStack() as undo:
            with _as_bridge_error(f"cannot open MIDI port {input_name!r}; another program may have it"):
                source = self._make("MidiIn", undo)
                source.open_port(self._place(source, input_name), "in")
                sink = None
                if output_name is not None:
                    sink = self._make("MidiOut", undo)
                    sink.open_port(self._place(sink, output_name), "out")
            link = RtMidiPort(source, sink, (input_name, output_name), receive)
            undo.pop_all()
        return link

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> RtMidiPort:
        """See `MidiPorts.open_virtual`."""
        remedy = "install loopMIDI and give the name of its port" if sys.platform == "win32" else "give a port's name"
        with contextlib.ExitStack() as undo:
            with _as_bridge_error(f"this system makes no virtual MIDI port {name!r}; {remedy}"):
                source, sink = self._make("MidiIn", undo), self._make("MidiOut", undo)
                source.open_virtual_port(name)
                sink.open_virtual_port(name)
            link = RtMidiPort(source, sink, (name, name), receive)
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
