"""Process one stem of a stream with Pedalboard, block by block."""

import argparse

import numpy as np
from pedalboard import Chorus, Compressor, Pedalboard, Reverb

from stream_sep import StemSeparator
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-m", "--model", default="live")
parser.add_argument("-s", "--stem", default="vocals")
parser.add_argument("-b", "--block-size", type=int, default=512)
arguments = parser.parse_args()

song = load_demo_song()
separator = StemSeparator(arguments.model)
stem = separator.stems.index(arguments.stem)
board = Pedalboard([Compressor(threshold_db=-24, ratio=4), Chorus(), Reverb(room_size=0.6)])

dry = wet = 0.0
for start in range(0, song.mix.shape[1] - arguments.block_size + 1, arguments.block_size):
    block = song.mix[:, start : start + arguments.block_size]
    stems = separator.process(block, song.sample_rate, reset=False)
    # reset=False, or every block begins with no reverb
    played = board.process(
        np.ascontiguousarray(stems[stem]), song.sample_rate, buffer_size=block.shape[1], reset=False
    )
    dry = max(dry, float(np.abs(stems[stem]).max()))
    wet = max(wet, float(np.abs(played).max()))

print(f"{arguments.stem} peak at {dry:.2f} and, after {len(board)} effects, at {wet:.2f}")
print(f"{separator.latency} frames late")
