"""Songs to separate in tests, and a stand-in for a model whose stems are known."""

from pathlib import Path

import numpy as np
import soundfile

from stream_sep.files.batch import separate_all
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.tracks import find_tracks

RATE = 44100


SOURCES = ("drums", "bass", "other", "vocals")


SHARES = np.array([0.5, 0.25, 0.1, 0.3], np.float32)  # of the song in each stem; more than all of it


class Shares:
    """A song model with shares of the song as stems: known output, no weights, and it counts its calls."""

    sources = SOURCES
    cache_key, stft_size = "shares", 0

    def __init__(self, stems=SOURCES, log=None, fail=()):
        self.stems, self.log, self._fail = tuple(stems), [] if log is None else log, list(fail)

    def rate_for(self, _rate):
        return RATE

    def with_stems(self, stems):
        return Shares(stems, self.log, self._fail)

    def with_less_memory(self):
        return (Shares(self.stems, self.log, self._fail[1:]), "in smaller steps") if self._fail else None

    def separate(self, blocks, _rate, _level):
        self.log.append(self.stems)
        rows = SHARES[[SOURCES.index(name) for name in self.stems]]
        for index, block in enumerate(blocks):
            if self._fail and index == 1:
                raise self._fail[0]
            yield block, rows[:, None, None] * block


def music(seconds=0.5, channels=2, rate=RATE, level=0.1):
    rng = np.random.default_rng(1)
    return (level * rng.standard_normal((int(seconds * rate), channels))).astype(np.float32)


def write(path, sound, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **{"subtype": "FLOAT", **options} if path.suffix == ".wav" else options)
    return path


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def job(tmp_path, **settings):
    return SeparationJob(**{"out": tmp_path / "out", "format": AudioFormat(bits=32), "cache_gb": 0.0, **settings})


def outcomes(job, *paths, report=lambda *_: None):
    return [outcome for _, outcome in separate_all(find_tracks(paths, job.out), job, report)]


def parts_left(folder):
    return [path for path in Path(folder).rglob("*") if ".part" in path.name or path.name.startswith("tagged")]
