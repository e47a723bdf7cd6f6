"""Mackie Control beyond its knobs and faders: handshake, scribble strips and meters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.midi.targets import find_target
from stream_sep.control.levels import SILENCE_DB, gain_to_db

if TYPE_CHECKING:
    from bridge.midi.feedback import Feedback
    from bridge.protocols import MixerControl

STRIPS = 8
CELL = 7
"""Characters of a strip on the scribble line; the last stays blank."""

METER_S = 1 / 12
"""Time between two meter messages, in seconds: the device's bars decay on their own and need updates."""

_MAKER = b"\x00\x00\x66"
_MAIN, _EXTENDER = 0x14, 0x15
_DEVICES = (0x10, 0x11, _MAIN, _EXTENDER)
_QUERY, _CHALLENGE, _RESPONSE, _CONFIRMED = 0x00, 0x01, 0x02, 0x03
_TEXT, _METER_MODE, _COLOURS = 0x12, 0x20, 0x72
_LINE = 0x38
_STEPS_DB = (-60, -50, -40, -34, -28, -22, -16, -12, -8, -5, -2, -0.5)
_OVERLOAD, _CLEAR = 0xE, 0xF
_PALETTE = (2, 1, 4, 3, 5, 6, 7)  # green, red, blue, yellow, magenta, cyan, white


def challenge_response(challenge: bytes) -> bytes:
    """Return the four response bytes for a device's four challenge bytes.

    >>> challenge_response(bytes((1, 2, 3, 4))).hex()
    '05057b2f'
    """
    one, two, three, four = challenge
    words = (
        one + (two ^ 0x0A) - four,
        (three >> 4) ^ (one + four),
        (four - (three << 2)) ^ (one | two),
        two - three + (0xF0 ^ (four << 4)),
    )
    return bytes(word & 0x7F for word in words)


def meter_level(peak: float) -> int:
    """Return the height of a bar, 0 to 12, for a linear peak.

    >>> meter_level(0.0), meter_level(1.0), meter_level(0.1)
    (0, 12, 6)
    """
    level = gain_to_db(peak)
    return sum(level >= step for step in _STEPS_DB)


def level_text(gain_db: float) -> str:
    """Return a level in at most six characters.

    >>> level_text(-90.0), level_text(0.0), level_text(-12.34)
    ('off', '0.0dB', '-12.3')
    """
    if gain_db <= SILENCE_DB:
        return "off"
    text = f"{round(gain_db, 1) + 0.0:.1f}"  # never -0.0
    return f"{text}dB" if len(text) <= 4 else text


class Mackie:
    """The texts, meters and handshake of one Mackie Control.

    Args:
        mixer: the mixer that it shows.
        feedback: sends messages to the device.
        colours: whether it supports the X-Touch's scribble strip colours.
    """

    def __init__(self, mixer: MixerControl, feedback: Feedback, *, colours: bool = False) -> None:
        self._mixer, self._feedback, self._colours = mixer, feedback, colours
        self._device = _MAIN
        self._levels = [0] * STRIPS
        self._overloads = [False] * STRIPS
        self._next_meters = -math.inf

    def initialize(self) -> None:
        """Request the device's identity and switch its meters on; it need not reply."""
        self._feedback.forget("query")
        self._feedback.show("query", [self._sysex(bytes((_QUERY,)))])
        for strip in range(STRIPS):
            self._feedback.show(("meter mode", strip), [self._sysex(bytes((_METER_MODE, strip, 0x07)))])

    def receive(self, data: bytes) -> bool:
        """Reply to a system exclusive message, without its F0 and F7; return whether the device was restarted."""
        if len(data) < 5 or data[:3] != _MAKER or data[3] not in _DEVICES:
            return False
        self._device, command = data[3], data[4]
        if command == _CHALLENGE and len(data) == 16:
            serial, challenge = data[5:12], data[12:16]
            self._feedback.forget("response")
            response = bytes((_RESPONSE,)) + serial + challenge_response(challenge)
            self._feedback.show("response", [self._sysex(response)])
        return command in {_CHALLENGE, _CONFIRMED}

    def refresh(self, offset: int) -> None:
        """Write names and levels of the strips; ``offset`` is the stem of the first, from 0."""
        for strip in range(STRIPS):
            stem = self._stem(strip, offset)
            level = "" if stem is None else level_text(float(self._mixer.controls[f"stem/{stem}/gain_db"]))
            self._write(0, strip, stem or "")
            self._write(1, strip, level)
        if self._colours:
            colours = [0 if (stem := self._stem(s, offset)) is None else self._colour(stem) for s in range(STRIPS)]
            self._feedback.show("colours", [self._sysex(bytes((_COLOURS, *colours)))])

    def _stem(self, strip: int, offset: int) -> str | None:
        target = find_target(f"stem/{strip + 1}/fader", self._mixer.stems, offset=offset)
        return None if target is None else target.path.split("/")[1]

    def _colour(self, stem: str) -> int:
        return _PALETTE[self._mixer.stems.index(stem) % len(_PALETTE)]

    def _write(self, line: int, strip: int, text: str) -> None:
        cell = text[: CELL - 1].ljust(CELL).encode("ascii", "replace")
        place = _LINE * line + CELL * strip
        self._feedback.show(("text", place), [self._sysex(bytes((_TEXT, place)) + cell)])

    def tick(self, now: float, offset: int) -> None:
        """Send the meters when they are due.

        Args:
            now: `time.monotonic`.
            offset: the stem on the first strip, from 0.
        """
        if now < self._next_meters:
            return
        self._next_meters = now + METER_S
        peaks = self._mixer.peaks()
        for strip in range(STRIPS):
            stem = self._stem(strip, offset)
            self._meter(strip, max(peaks.get(stem, (0.0,))) if stem is not None else 0.0)

    def _meter(self, strip: int, peak: float) -> None:
        level = meter_level(peak)
        if level or self._levels[strip]:
            self._feedback.forget(("meter", strip))
            self._feedback.show(("meter", strip), [bytes((0xD0, strip << 4 | level))])
        self._levels[strip] = level
        if (peak >= 1.0) != self._overloads[strip]:
            self._overloads[strip] = peak >= 1.0
            mark = _OVERLOAD if peak >= 1.0 else _CLEAR
            self._feedback.show(("overload", strip), [bytes((0xD0, strip << 4 | mark))])

    def clear_feedback(self) -> None:
        """Blank texts and meters, as when the program ends."""
        for strip in range(STRIPS):
            self._write(0, strip, "")
            self._write(1, strip, "")
            self._meter(strip, 0.0)

    def _sysex(self, payload: bytes) -> bytes:
        return b"\xf0" + _MAKER + bytes((self._device,)) + payload + b"\xf7"
