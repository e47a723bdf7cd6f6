"""Songs that are handed in one by one, and taken back."""

from functools import partial

import pytest
from song_files import job, music, parts_left, read, write
from waiting import until

from stream_sep.errors import ConfigError
from stream_sep.files import crew as crew_module
from stream_sep.files.crew import Crew
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.tracks import find_tracks

wait_for = partial(until, every=0.02)

SLOW = """
import time
from stream_sep.separators import load_separator

class Slow:
    def __init__(self, inner, seconds): self.inner, self.seconds = inner, seconds
    def __getattr__(self, name): return getattr(self.inner, name)
    def process(self, block):
        time.sleep(self.seconds)
        return self.inner.process(block)

def make(*, sample_rate=44100, seconds=0.01): return Slow(load_separator("passthrough", sample_rate), seconds)
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Return a function that gives a track and a job whose hops take a time."""
    (tmp_path / "slow_model.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, hop_seconds):
        path = write(tmp_path / f"{name}.wav", music(5.0))
        settings = SeparationSettings(model="slow_model:make", options={"seconds": hop_seconds})
        task = job(tmp_path, settings=settings, stems=("other",))
        return find_tracks([path], task.out)[0], task

    return make


def test_songs_are_done_as_they_come(slow):
    with Crew(2) as crew:
        handles = [crew.submit(*slow(name, 0.0)) for name in "ab"]
        done = [crew.wait(60) for _ in handles]
        handles.append(crew.submit(*slow("c", 0.0)))
        done.append(crew.wait(60))
        assert set(done) == set(handles)
        assert crew.wait(60) is None
    for handle in handles:
        assert crew.progress(handle).share == 1.0
        assert len(read(handle.outcome.files[0])) == len(music(5.0))


@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_cancelled_song_ends_and_leaves_nothing(slow, tmp_path, monkeypatch, is_deaf):
    monkeypatch.setattr(crew_module, "_CANCEL_SECONDS", 0.5)
    with Crew(1) as crew:
        running = crew.submit(*slow("a", 30.0 if is_deaf else 0.02))
        waiting = crew.submit(*slow("b", 0.0))
        following = crew.submit(*slow("c", 0.0))
        wait_for(lambda: parts_left(tmp_path / "out"))
        for handle in (running, waiting):
            crew.cancel(handle)
        done = {crew.wait(60) for _ in range(3)}
        assert done == {running, waiting, following}
    assert [handle.outcome.cancelled for handle in (running, waiting, following)] == [True, True, False]
    assert not running.outcome.error
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.wav")} == {"c"}


def test_closing_ends_all_at_once(slow, tmp_path):
    crew = Crew(2)
    handles = [crew.submit(*slow(name, 30.0)) for name in "abc"]
    wait_for(lambda: len(parts_left(tmp_path / "out")) == 2)
    crew.close()
    assert all(handle.outcome.cancelled for handle in handles)
    assert not list((tmp_path / "out").rglob("*.wav"))


def test_a_crew_of_no_workers_is_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        Crew(0)
