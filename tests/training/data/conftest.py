"""Songs that caches are made from."""

import numpy as np
import pytest
import soundfile

RATE, SECONDS = 44100, 2


@pytest.fixture
def songs(tmp_path):
    """Three songs of two stems and two seconds, in folders."""
    from stream_sep.training.data.layouts import find_stem_songs  # noqa: PLC0415 - needs an extra

    rng = np.random.default_rng(0)
    for number in range(3):
        for stem in ("vocals", "drums"):
            path = tmp_path / f"songs/Artist {number} - Song/{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal((SECONDS * RATE, 2)), RATE)
    return find_stem_songs(tmp_path / "songs")
