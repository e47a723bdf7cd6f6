"""Stereo noise, ``(2, frames)`` in float32."""

import numpy as np


def uniform_noise(frames, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, frames)).astype(np.float32)


def gaussian_noise(frames, seed=0):
    return (0.2 * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)
