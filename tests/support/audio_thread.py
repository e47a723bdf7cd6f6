"""An audio thread with nothing around it, for tests of what the compiled callback does."""

import numpy as np

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.rings import Rings
from stream_sep.audio.state import AudioState
from stream_sep.backends.callback import portaudio_callback

RATE, HOP, STEMS = 44100, 64, 3
LATENCY, FADE, HOLD = 100, 48, 150
PREFILL = 320
AMPLITUDE = 0.5


class Player:
    """An audio thread with nothing around it: all of its buses come out, stems are put there by hand."""

    def __init__(self, *, hop=HOP, stems=STEMS, prefill=PREFILL, latency=LATENCY, fade=FADE, hold=HOLD, **settings):
        self.rows = 2 * (1 + stems)
        self.song, self.done = np.zeros((2, 0), np.float32), 0
        self.rings = Rings(RingLayout(channels=2, stems=stems, hop=hop, capacity=8192, slots=40))
        self.state = AudioState(
            self.rings, prefill=prefill, delay=prefill + latency, fade=fade, hold=hold,
            carrier=settings.pop("carrier", stems - 1), output_map=tuple(range(self.rows)), **settings,
        )  # fmt: skip

    def play(self, block):
        given = np.ascontiguousarray(block.T, np.float32)
        taken = np.full((block.shape[1], self.rows), np.nan, np.float32)
        call = portaudio_callback().ctypes
        call(given.ctypes.data, taken.ctypes.data, block.shape[1], 0, 0, self.state.address)
        return taken.T

    def set(self, gains, ramp=1, *, bypass=False, limiter=False, begin=0):
        self.state.publish(np.array([*gains, float(bypass), float(limiter), ramp, begin], np.float64))

    def count(self, name):
        return self.state.counters()[name]


def sine(frames, start=0):
    return AMPLITUDE * np.sin(2 * np.pi * 100 * (np.arange(start, start + frames) / RATE)) * np.ones((2, 1))


def noise(rng, frames):
    return rng.uniform(-AMPLITUDE, AMPLITUDE, (2, frames)).astype(np.float32)


def passthrough(player, song, block=40, lost=()):
    """Play ``song``; the last stem is all that was played, delayed, but the ``lost`` hops never come."""
    player.song = np.concatenate([player.song, song], axis=1)
    out = []
    for start in range(0, song.shape[1], block):
        out.append(player.play(song[:, start : start + block]))
        before, player.done = player.done, player.done + out[-1].shape[1]
        for number in range(before // HOP, player.done // HOP):
            stems = np.zeros((STEMS, 2, HOP), np.float32)
            at = number * HOP - LATENCY
            stems[-1, :, max(-at, 0) :] = player.song[:, max(at, 0) : max(at + HOP, 0)]
            if number not in lost:
                player.rings.publish(number, stems)
    return np.concatenate(out, axis=1)


def delayed(song):
    return np.pad(song, ((0, 0), (PREFILL + LATENCY, 0)))[:, : song.shape[1]]
