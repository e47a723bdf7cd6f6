"""Put effects on one stem of a song: the file in, the song with wet vocals out."""

import argparse
from pathlib import Path

import soundfile

from stream_sep import StemSeparator
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("song", nargs="?", help="an audio file; the demo song unless given")
parser.add_argument("-m", "--model", default="live")
parser.add_argument("-s", "--stem", default="vocals")
parser.add_argument("--vst3", help="the path of a VST3 to put behind the others")
parser.add_argument("-o", "--out", type=Path, default=Path("wet.wav"))
arguments = parser.parse_args()

if arguments.song:
    audio, sample_rate = soundfile.read(arguments.song, dtype="float32", always_2d=True)
    audio = audio.T
else:
    song = load_demo_song()
    audio, sample_rate = song.mix, song.sample_rate

chain = [
    {"plugin": "Compressor", "parameters": {"threshold_db": -24, "ratio": 4}},
    {"plugin": "Reverb", "parameters": {"room_size": 0.7, "wet_level": 0.4}},
    {"plugin": "BrickwallLimiter", "parameters": {"ceiling_db": -1}},
]
if arguments.vst3:
    chain.append({"plugin": arguments.vst3})

# the other stems wait for the limiter's look-ahead, and StemSeparator takes all of the delay out again
separator = StemSeparator("chained", separator=arguments.model, chains={arguments.stem: chain})
mix = separator.process(audio, sample_rate).sum(axis=0)
soundfile.write(arguments.out, mix.T, sample_rate)
print(f"{mix.shape[1] / sample_rate:.1f} s with {len(chain)} effects on the {arguments.stem} in {arguments.out}")
