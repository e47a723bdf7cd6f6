"""The parts of all instruments of the band, as General MIDI tracks."""

from dataclasses import dataclass

import numpy as np
from demo_song.score import BARS, BEATS, CHORDS, CHORUS

_KICK, _SNARE, _CLOSED_HAT, _OPEN_HAT, _CRASH, _RIDE = 36, 38, 42, 46, 49, 51
_TOMS = (50, 47, 43)
_DRUM_CHANNEL = 9
_FINGERED_BASS, _STEEL_GUITAR, _PIANO, _ELECTRIC_PIANO, _STRINGS = 33, 25, 0, 4, 48


@dataclass(frozen=True)
class Hit:
    """A note of an instrument: start and length in beats, MIDI pitch and velocity."""

    beat: float
    beats: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Track:
    """An instrument: MIDI channel, program, pan (0 left, 64 centre, 127 right), volume, and its notes."""

    channel: int
    program: int
    pan: int
    volume: int
    hits: tuple[Hit, ...]


def _humanised(hits: list[Hit], seed: int) -> tuple[Hit, ...]:
    """Loosen time by a few milliseconds and velocity by a few steps, the same way on every run."""
    random = np.random.default_rng(seed)
    loose = []
    for hit in hits:
        beat = max(0.0, hit.beat + random.normal(0, 0.006))
        velocity = int(np.clip(hit.velocity + random.normal(0, 4), 1, 127))
        loose.append(Hit(beat, hit.beats, hit.pitch, velocity))
    return tuple(loose)


def _fill(start: float) -> list[Hit]:
    """Fill the last beat of a bar, from the snare down the toms."""
    pitches = (_SNARE, *_TOMS)
    return [Hit(start + 0.25 * i, 0.25, pitch, 84 + 9 * i) for i, pitch in enumerate(pitches)]


def _drum_bar(bar: int) -> list[Hit]:
    start, chorus = bar * BEATS, bar >= CHORUS
    kicks = (0.0, 1.5, 2.0, 3.5) if chorus else (0.0, 2.0, 2.5)
    hits = [Hit(start + beat, 0.25, _KICK, 108) for beat in kicks]
    hits += [Hit(start + beat, 0.25, _SNARE, 104) for beat in (1.0, 3.0)]
    for eighth in range(8):
        cymbal = _RIDE if chorus else _CLOSED_HAT
        hits.append(Hit(start + eighth / 2, 0.25, cymbal, 88 if eighth % 2 == 0 else 62))
    if not chorus:
        hits[-1] = Hit(start + 3.5, 0.5, _OPEN_HAT, 78)
    return hits


def drums() -> tuple[Track, ...]:
    """Count in on the hats, play a bar pattern, fill before every part, crash on its first beat."""
    hits = [Hit(beat / 2, 0.25, _CLOSED_HAT, 80 - 20 * (beat % 2)) for beat in range(6)]
    hits += _fill(BEATS - 1)
    for bar in range(1, BARS - 1):
        pattern = _drum_bar(bar)
        if bar in {CHORUS - 1, CHORUS + 3, BARS - 2}:
            pattern = [hit for hit in pattern if hit.beat < bar * BEATS + 3] + _fill(bar * BEATS + 3)
        hits += pattern
    hits += [Hit(bar * BEATS, 2.0, _CRASH, 96) for bar in (1, CHORUS, CHORUS + 4, BARS - 1)]
    hits.append(Hit((BARS - 1) * BEATS, 0.5, _KICK, 112))
    return (Track(_DRUM_CHANNEL, 0, 64, 110, _humanised(hits, 1)),)


def _bass_bar(bar: int) -> list[Hit]:
    start, root, following = bar * BEATS, CHORDS[bar].root, CHORDS[(bar + 1) % BARS].root
    fifth, step = root + 7, 1 if following > root else -1
    if bar >= CHORUS:
        pitches = (root, root, root + 12, root, root, root + 12, fifth, following - 2 * step)
        return [Hit(start + i / 2, 0.42, pitch, 98 - 10 * (i % 2)) for i, pitch in enumerate(pitches)]
    return [
        Hit(start, 1.3, root, 100),
        Hit(start + 1.5, 0.4, root, 86),
        Hit(start + 2, 0.9, fifth, 92),
        Hit(start + 3, 0.45, root + 12, 90),
        Hit(start + 3.5, 0.45, following - 2 * step, 86),
    ]


def bass() -> tuple[Track, ...]:
    """Roots and fifths in the verse, octaves in eighths in the chorus, a step towards the next chord."""
    hits = [Hit(0.0, 3.4, CHORDS[0].root, 92), Hit(3.5, 0.45, CHORDS[0].root + 7, 84)]
    for bar in range(1, BARS - 1):
        hits += _bass_bar(bar)
    hits.append(Hit((BARS - 1) * BEATS, 3.0, CHORDS[-1].root, 100))
    return (Track(0, _FINGERED_BASS, 64, 112, _humanised(hits, 2)),)


def _strum(beat: float, beats: float, tones: tuple[int, ...], velocity: int) -> list[Hit]:
    """Sweep the strings of a guitar, twelve milliseconds or so apart."""
    return [Hit(beat + 0.022 * i, beats, tone, velocity - 3 * i) for i, tone in enumerate(tones)]


def _guitar() -> list[Hit]:
    hits: list[Hit] = []
    for bar in range(BARS - 1):
        tones = (*CHORDS[bar].tones, CHORDS[bar].tones[1] + 12)
        for beat, velocity in ((0.0, 92), (1.0, 70), (1.5, 80), (2.5, 84), (3.0, 72), (3.5, 76)):
            order = tones if velocity > 75 else tones[::-1]
            hits += _strum(bar * BEATS + beat, 0.48, order, velocity)
    return hits + _strum((BARS - 1) * BEATS, 3.5, CHORDS[-1].tones, 88)


def _keys() -> list[Hit]:
    hits: list[Hit] = []
    for bar in range(BARS - 1):
        tones = CHORDS[bar].tones
        arpeggio = (0, 2, 3, 2, 1, 2, 3, 2) if bar < CHORUS else (0, 3, 2, 3, 1, 3, 2, 3)
        for i, tone in enumerate(arpeggio):
            hits.append(Hit(bar * BEATS + i / 2, 0.9, tones[tone] + 12, 84 if i % 4 == 0 else 68))
        hits += [Hit(bar * BEATS, 1.8, tone, 66) for tone in tones[:3]]
    return hits + [Hit((BARS - 1) * BEATS, 3.5, tone + 12, 78) for tone in CHORDS[-1].tones]


def _pad() -> list[Hit]:
    hits: list[Hit] = []
    for bar in range(2, BARS):
        velocity = 78 if bar >= CHORUS else 52
        hits += [Hit(bar * BEATS, 3.9, tone + 12, velocity) for tone in CHORDS[bar].tones[1:]]
    return hits


def other() -> tuple[Track, ...]:
    """A strummed guitar on the left, an electric piano on the right, a piano near it, strings all over."""
    keys = _keys()
    return (
        Track(0, _STEEL_GUITAR, 14, 104, _humanised(_guitar(), 3)),
        Track(1, _ELECTRIC_PIANO, 112, 108, _humanised(keys, 4)),
        Track(2, _PIANO, 88, 76, _humanised(keys, 5)),
        Track(3, _STRINGS, 44, 78, _humanised(_pad(), 6)),
    )
