"""Make the demo song that the package carries: four stems, Ogg Vorbis, from this folder's score.

Run it as ``python tools/make_demo_song.py [folder]``; it writes to ``stream_sep/assets/demo`` by default.
The same machine gives the same sound every time; another version of a tool changes small things.

It needs, on Debian or Ubuntu::

    apt-get install fluidsynth fluid-soundfont-gm espeak-ng
    pip install mido numpy pyworld scipy "setuptools<81" "soundfile>=0.13"

(pyworld 0.3.5 still imports ``pkg_resources``, which setuptools dropped in version 81.)

Words, melody, chords and arrangement were written for this song. The instruments are the samples of FluidR3 GM, by
Frank Wen and others, MIT licence. The voice is espeak-ng's, whose output its licence (GPL-3) does not cover, sung
by the WORLD vocoder (modified BSD licence).
"""

import sys
from pathlib import Path

try:
    import pyworld  # noqa: F401 - imported here for a clear error message
    from demo_song import band, mix, parts, score, speech, voice
except ImportError as error:
    raise SystemExit(f"{error}: see the first lines of {__file__} for what to install") from error

DEMO = Path(__file__).resolve().parents[1] / "stream_sep" / "assets" / "demo"


def _vocals() -> mix.Stereo:
    speaker = speech.Speaker()
    analyses = [voice.analyze(speaker.synthesize(line.words)) for line in score.LINES]
    takes = [voice.sing(analyses, score.LINES, seed) for seed in (1, 2, 3)]
    return mix.vocal_stereo(*takes)


def main(folder: Path = DEMO) -> None:
    """Play, sing, mix and write."""
    stems = {
        "vocals": _vocals(),
        "drums": mix.in_room(band.play(parts.drums()), -20, 0.5, seed=8, delay=0.005),
        "bass": mix.driven(band.play(parts.bass()), 0.8),
        "other": mix.in_room(band.play(parts.other()), -18, 0.9, seed=9),
    }
    mix.write(folder, mix.balanced(stems))
    size = sum(path.stat().st_size for path in folder.glob("*.ogg"))
    print(f"{folder}: {score.SECONDS:.1f} s, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
