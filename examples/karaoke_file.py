"""Take the vocals out of a song: the file in, an instrumental out."""

import argparse
from pathlib import Path

import soundfile

from stream_sep import StemSeparator
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("song", nargs="?", help="an audio file; the demo song unless given")
parser.add_argument("-m", "--model", default="live")
parser.add_argument("-o", "--out", type=Path, default=Path("instrumental.wav"))
arguments = parser.parse_args()

if arguments.song:
    audio, sample_rate = soundfile.read(arguments.song, dtype="float32", always_2d=True)
    audio = audio.T
else:
    song = load_demo_song()
    audio, sample_rate = song.mix, song.sample_rate

separator = StemSeparator(arguments.model)
stems = separator.process(audio, sample_rate)
instrumental = sum(stems[index] for index, name in enumerate(separator.stems) if name != "vocals")
soundfile.write(arguments.out, instrumental.T, sample_rate)
print(f"{instrumental.shape[1] / sample_rate:.1f} s without vocals in {arguments.out}")
