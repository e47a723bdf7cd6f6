"""The score: the tempo, the chords of every bar, and the words on their notes."""

from dataclasses import dataclass

TEMPO = 108.0
"""Beats per minute."""
BEAT_SECONDS = 60 / TEMPO
LEAD_IN = 0.1
"""Seconds of silence before the first beat, so that no attack is cut."""
BEATS = 4
"""Beats of a bar."""
BARS = 12
"""Bars of the song: one of intro, ten sung, one for the last chord."""
SECONDS = 27.0
"""Length of the files: the twelve bars and the decay of the last chord."""
SAMPLE_RATE = 44100
"""Frames per second, of everything."""


@dataclass(frozen=True)
class Chord:
    """A chord as MIDI pitches: the bass plays ``root``, the others ``tones``, low to high."""

    root: int
    tones: tuple[int, ...]


_F = Chord(29, (53, 57, 60, 65))
_DM = Chord(38, (50, 57, 62, 65))
_BB = Chord(34, (50, 58, 62, 65))
_C = Chord(36, (52, 55, 60, 64))
_AM = Chord(33, (52, 57, 60, 64))
CHORDS = (_F, _F, _DM, _BB, _C, _BB, _C, _AM, _DM, _BB, _C, _F)
"""One chord a bar, in F major."""
CHORUS = 5
"""The bar, counted from 0, at which the chorus starts."""


@dataclass(frozen=True)
class Note:
    """A note of the melody: where it starts and how long it lasts, in beats, and its MIDI pitch."""

    beat: float
    pitch: int
    beats: float


@dataclass(frozen=True)
class Line:
    """A line of the words, one note a syllable."""

    words: str
    notes: tuple[Note, ...]


def seconds(beat: float) -> float:
    """Turn a position in the song, in beats, into seconds from the start of the files."""
    return LEAD_IN + beat * BEAT_SECONDS


def _line(bar: int, words: str, *notes: tuple[int, float]) -> Line:
    """Lay (pitch, beats) one after the other from the start of a bar."""
    beat, laid = float(bar * BEATS), []
    for pitch, beats in notes:
        laid.append(Note(beat, pitch, beats))
        beat += beats
    return Line(words, tuple(laid))


_Q = 0.5  # an eighth note, the pulse of the words

LINES = (
    _line(
        *(1, "Turn the morning down a little"),
        *((60, _Q), (62, _Q), (65, _Q), (62, _Q), (60, 0.75), (57, 0.25), (60, _Q), (62, 0.4)),
    ),
    _line(
        *(2, "Let me hear the river play"),
        *((62, _Q), (65, _Q), (67, _Q), (65, _Q), (62, _Q), (60, _Q), (62, 0.9)),
    ),
    _line(
        *(3, "All the colours of the city"),
        *((62, _Q), (62, _Q), (65, _Q), (67, _Q), (65, 0.75), (62, 0.25), (60, _Q), (58, 0.4)),
    ),
    _line(
        *(4, "Slowly come apart today"),
        *((60, 0.75), (62, 0.25), (64, _Q), (62, _Q), (67, _Q), (64, _Q), (67, 0.9)),
    ),
    _line(
        *(5, "Oh pull the music open"),
        *((65, 1.0), (62, _Q), (65, _Q), (67, _Q), (65, _Q), (62, _Q), (65, 0.4)),
    ),
    _line(
        *(6, "Oh hear what's hiding there"),
        *((67, 1.0), (64, _Q), (67, _Q), (69, _Q), (67, _Q), (64, 0.9)),
    ),
    _line(
        *(7, "One voice above the ocean"),
        *((64, 0.75), (67, 0.75), (67, _Q), (69, _Q), (67, _Q), (64, _Q), (60, 0.4)),
    ),
    _line(
        *(8, "One drum upon the air"),
        *((62, 0.75), (65, 0.75), (64, _Q), (65, _Q), (67, _Q), (69, 0.9)),
    ),
    _line(
        *(9, "And when the night is over"),
        *((65, _Q), (67, _Q), (65, _Q), (69, 1.0), (67, _Q), (65, _Q), (62, 0.4)),
    ),
    _line(
        *(10, "All of it comes home"),
        *((67, 1.0), (64, _Q), (65, _Q), (67, 2.0), (65, 2.5)),
    ),
)
"""The words and the melody."""
