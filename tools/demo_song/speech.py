"""Spoken lines with the time of every phoneme, from espeak-ng.

Only the library, called here through ctypes, reports the time of each phoneme; the command line tool does not.
"""

import ctypes
import ctypes.util
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOICE = b"en-us"
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_SYNCHRONOUS, _PHONEME_EVENTS = 2, 1  # espeak_AUDIO_OUTPUT, the options of espeak_Initialize
_END_OF_LIST, _PHONEME = 0, 7  # espeak_EVENT_TYPE
_UTF8, _PHONEME_INPUT = 1, 0x100  # the flags of espeak_Synth
_VOWEL_LETTERS = frozenset("aAeEiIoOuUV@03")


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Phoneme:
    """One sound of a spoken line: its name in espeak's alphabet, and when it begins and ends, in seconds."""

    name: str
    start: float
    end: float

    @property
    def vowel(self) -> bool:
        """Whether a syllable can be sung on it."""
        return self.name[:1] in _VOWEL_LETTERS


@dataclass(frozen=True)
class Spoken:
    """A spoken line, mono, and its phonemes in order of time."""

    sample_rate: int
    audio: NDArray[np.float64]
    phonemes: tuple[Phoneme, ...]


class Speaker:
    """A calm voice of espeak-ng, as monotonous as it can be: the melody comes later."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise SystemExit("espeak-ng is missing: apt-get install espeak-ng")
        self._library = ctypes.CDLL(name)
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS)
        if self.sample_rate < 0:
            raise SystemExit("espeak-ng does not start: is its data installed (apt-get install espeak-ng-data)?")
        self._library.espeak_SetVoiceByName(VOICE)
        size, flags, pointer = ctypes.c_size_t, ctypes.c_uint, ctypes.c_void_p
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            size,
            flags,
            ctypes.c_int,
            flags,
            flags,
            pointer,
            pointer,
        )
        for parameter, value in ((_RATE, 120), (_PITCH, 40), (_RANGE, 0)):
            self._library.espeak_SetParameter(parameter, value, 0)

    def synthesize(self, text: str) -> Spoken:
        """Synthesize one line; ``[[...]]`` in the text holds espeak's phoneme names."""
        blocks: list[NDArray[np.int16]] = []
        events: list[tuple[float, str]] = []

        def collect(samples, count, event) -> int:  # noqa: ANN001 - called from C, the types are in _Callback
            if samples and count:
                blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
            index = 0
            while event[index].type != _END_OF_LIST:
                if event[index].type == _PHONEME:
                    events.append((event[index].audio_position / 1000, event[index].id.string.decode()))
                index += 1
            return 0

        callback = _Callback(collect)
        self._library.espeak_SetSynthCallback(callback)
        data = text.encode() + b"\0"
        error = self._library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8 | _PHONEME_INPUT, None, None)
        if error or not blocks:
            raise SystemExit(f"espeak-ng failed at {text!r} (its error {error}): is espeak-ng-data installed?")
        audio = np.concatenate(blocks).astype(np.float64) / 32768
        ends = [start for start, _ in events[1:]] + [audio.size / self.sample_rate]
        phonemes = (Phoneme(name, start, end) for (start, name), end in zip(events, ends, strict=True))
        return Spoken(self.sample_rate, audio, tuple(phonemes))
