"""Effects, sounds and measures for tests of chains."""

import numpy as np

RATE, HOP = 44100, 256
FADE = 441
LIMITER = [{"plugin": "BrickwallLimiter"}]
LIMITER_LATE = 220  # 5 ms of look-ahead
GAIN = [{"plugin": "Gain", "parameters": {"gain_db": -6.0}}]


def sine(frames, start=0):
    wave = 0.5 * np.sin(2 * np.pi * 441 * np.arange(start, start + frames) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def late(sound, frames):
    return np.pad(sound, ((0, 0), (frames, 0)))[:, : sound.shape[1]]


def largest_step(sound):
    return float(np.abs(np.diff(sound)).max())


QUIET = {"plugin": "Gain", "parameters": {"gain_db": -20.0}}
