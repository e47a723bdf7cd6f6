"""The transport controls of songs: position, seek, loop, speed and pitch."""

from __future__ import annotations

from stream_sep.control.parameters import UNLIMITED, Parameter

TRANSPORT = "transport/"
"""Prefix of the paths of these controls."""

NOWHERE = -1.0
"""Value of ``transport/seek`` when no seek is requested; the control resets to it at once."""

MAX_SECONDS = 1e6
"""Maximum length of a song: 11 days, which a frame count at any rate can hold."""

SLOWEST, FASTEST = 0.5, 2.0
OCTAVE = 12.0


def transport_parameters() -> tuple[Parameter, ...]:
    """Return the controls of the transport; ``seek``, ``next`` and ``previous`` are momentary."""
    return (
        Parameter("transport/play", default=True),
        Parameter("transport/seek", NOWHERE, NOWHERE, MAX_SECONDS, "s"),
        Parameter("transport/next", default=False),
        Parameter("transport/previous", default=False),
        Parameter("transport/track", 1.0, 1.0, UNLIMITED),
        Parameter("transport/loop/on", default=False),
        Parameter("transport/loop/start", 0.0, 0.0, MAX_SECONDS, "s"),
        Parameter("transport/loop/end", 0.0, 0.0, MAX_SECONDS, "s"),
        Parameter("transport/speed", 1.0, SLOWEST, FASTEST),
        Parameter("transport/pitch", 0.0, -OCTAVE, OCTAVE, "semitones"),
        Parameter("transport/position", 0.0, 0.0, MAX_SECONDS, "s", readonly=True),
        Parameter("transport/length", 0.0, 0.0, MAX_SECONDS, "s", readonly=True),
        Parameter("transport/title", "", readonly=True),
        Parameter("transport/tracks", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("transport/refined", 0.0, 0.0, 1.0, readonly=True),
    )
