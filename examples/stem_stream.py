"""Split a stream inside your own program, block by block, as blocks of any size arrive."""

import argparse

import numpy as np

from stream_sep import StemSeparator
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-m", "--model", default="live")
parser.add_argument("-b", "--block-size", type=int, default=480)
arguments = parser.parse_args()

song = load_demo_song()
separator = StemSeparator(arguments.model)
energy = np.zeros(len(separator.stems))
for start in range(0, song.mix.shape[1], arguments.block_size):
    block = song.mix[:, start : start + arguments.block_size]
    stems = separator.process(block, song.sample_rate, reset=False)
    energy += np.square(stems).sum(axis=(1, 2))

print(f"the stems are {separator.latency} frames late")
for name, share in zip(separator.stems, energy / energy.sum(), strict=True):
    print(f"{name:<8}{100 * share:5.1f} % of the energy")
