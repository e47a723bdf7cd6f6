"""Stem files as DJ software loads them."""

from pathlib import Path

import numpy as np
import pytest
from song_files import SHARES, SOURCES, job, music, outcomes, read, write

from stream_sep.files.formats import AudioFormat
from stream_sep.files.stem_mp4 import STEMS as STEM_FILE_ORDER
from stream_sep.files.stem_mp4 import read_stem_box

pytestmark = pytest.mark.usefixtures("maker")


def test_stem_file_holds_song_and_stems_and_is_reported(ffmpeg, tmp_path):
    song = music(1.0)
    path = write(tmp_path / "a.wav", song)
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat("stem.mp4")), path)
    (file,) = outcome.files
    assert file.name == "a.stem.mp4"
    box = read_stem_box(file)
    assert [stem["name"].lower() for stem in box["stems"]] == list(STEM_FILE_ORDER)
    levels = []
    for stream in range(5):
        part = tmp_path / f"{stream}.wav"
        ffmpeg("-i", file, "-map", f"0:a:{stream}", part)
        levels.append(read(part)[5000:40000].std() / song.std())
    gains = [SHARES[SOURCES.index(name)] for name in STEM_FILE_ORDER]
    np.testing.assert_allclose(levels, [1.0, *gains], rtol=0.15)
    assert not list(file.parent.glob("*.wav"))


def test_the_box_is_where_native_instruments_puts_it():
    import stempeg  # noqa: PLC0415 - slow

    box = read_stem_box(Path(stempeg.example_stem_path()))
    assert {"mastering_dsp", "version", "stems"} <= set(box)
