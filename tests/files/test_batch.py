"""Many songs: one after the other, and several at once."""

import os
from pathlib import Path

import numpy as np
import pytest
from song_files import job, music, outcomes, read, write

from stream_sep.errors import StreamSepError
from stream_sep.files import batch
from stream_sep.files.batch import separate_all
from stream_sep.files.crew import Crew
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.tracks import Track, find_tracks

pytestmark = pytest.mark.usefixtures("maker")


def test_several_jobs_at_once_give_the_same_files(tmp_path):
    songs = [write(tmp_path / "songs" / f"{k}.wav", (k + 1) * music(0.2)) for k in range(3)]
    (tmp_path / "songs" / "bad.wav").write_bytes(b"no")
    shares = {}
    settings = job(tmp_path, settings=SeparationSettings(model="bands"))
    tracks = find_tracks([tmp_path / "songs"], settings.out)
    done = dict(separate_all(tracks, settings, shares.__setitem__, jobs=2))
    assert sorted(done) == [0, 1, 2, 3]
    assert [bool(done[index].error) for index in sorted(done)] == [False, False, False, True]
    again = job(tmp_path, settings=SeparationSettings(model="bands"), out=tmp_path / "alone")
    for outcome, expected in zip((done[k] for k in range(3)), outcomes(again, *songs), strict=True):
        for file, alone in zip(outcome.files, expected.files, strict=True):
            np.testing.assert_array_equal(read(file), read(alone))


@pytest.mark.parametrize(("requested", "used"), [(None, 4), (3, 3)])
def test_jobs_share_the_cores(tmp_path, monkeypatch, requested, used):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(Crew, "_serve", lambda _: None)
    crew = Crew(2)
    handle = crew.submit(
        Track(Path("a.wav"), Path(), "a"), job(tmp_path, settings=SeparationSettings(threads=requested))
    )
    assert handle.job.settings.threads == used
    crew.close()


_DEADLY = """
import os
from pathlib import Path
from stream_sep.separators import load_separator

class Deadly:
    def __init__(self, inner): self.inner = inner
    def __getattr__(self, name): return getattr(self.inner, name)
    def process(self, block):
        level = round(float(block.max()), 3)
        mark = Path(os.environ["MARKS"], f"{level}-{os.getpid()}")
        if level in (0.3, 0.6) and (level == 0.6 or not list(Path(os.environ["MARKS"]).iterdir())):
            mark.touch()
            os._exit(9)
        return self.inner.process(block)

def make(*, sample_rate=44100): return Deadly(load_separator("passthrough", sample_rate))
"""


def test_songs_lost_with_a_process_are_done_again_and_only_the_deadly_one_fails(tmp_path, monkeypatch):
    """The song at 0.3 ends its process the first time, the one at 0.6 every time."""
    (tmp_path / "deadly_model.py").write_text(_DEADLY)
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv("MARKS", str(tmp_path / "marks"))
    monkeypatch.syspath_prepend(tmp_path)
    levels = (0.3, 0.1, 0.6, 0.2)
    songs = [write(tmp_path / f"{k}.wav", np.full((9000, 2), v, np.float32)) for k, v in enumerate(levels)]
    tracks = [Track(song, Path(), song.stem) for song in songs]
    settings = job(tmp_path, settings=SeparationSettings(model="deadly_model:make"))
    done = dict(separate_all(tracks, settings, lambda *_: None, jobs=2))
    assert [bool(done[index].error) for index in range(4)] == [False, False, True, False]
    assert "2.wav was not separated: its process ended, twice" in done[2].error
    for index, level in enumerate(levels):
        for file in done[index].files:
            expected = level if file.stem == "other" else 0.0
            np.testing.assert_allclose(read(file), expected, atol=1e-4)


def test_a_model_that_no_process_can_load_fails_the_run(tmp_path):
    tracks = find_tracks([write(tmp_path / name, music(0.1)) for name in ("a.wav", "b.wav")], tmp_path / "out")
    settings = job(tmp_path, settings=SeparationSettings(model="nonsense:factory"))
    with pytest.raises(StreamSepError, match="nonsense"):
        list(separate_all(tracks, settings, lambda *_: None, jobs=2))


def test_a_model_that_cannot_be_loaded_fails_before_any_song(tmp_path):
    path = write(tmp_path / "a.wav", music(0.1))
    with pytest.raises(StreamSepError, match="nonsense"):
        outcomes(job(tmp_path, settings=SeparationSettings(model="nonsense:factory")), path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_missing_song_is_reported_before_a_model_is_loaded(tmp_path, monkeypatch, jobs):
    monkeypatch.setattr(batch, "SongSeparator", lambda _: pytest.fail("a model was loaded"))
    tracks = find_tracks([tmp_path / "a.wav", tmp_path / "b.wav"], tmp_path / "out")
    outcomes = [outcome for _, outcome in separate_all(tracks, job(tmp_path), lambda *_: None, jobs=jobs)]
    assert [outcome.error for outcome in outcomes] == [f"file not found: {track.path}" for track in tracks]
