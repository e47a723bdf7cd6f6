"""A process that is killed costs the song that it worked on, and no other."""

from stream_sep.errors import AudioFileError
from stream_sep.training.data.song_processes import work_in_processes

KILL = "__import__('os')._exit(9)"


def test_items_after_one_that_kills_its_process_are_worked_on():
    items = ["1 + 1", KILL, "2 + 2", "3 + 3", KILL + " ", "4 + 4"]
    found = dict(work_in_processes(eval, items, 2))
    assert {item: found[item] for item in items if KILL not in item} == {
        "1 + 1": 2,
        "2 + 2": 4,
        "3 + 3": 6,
        "4 + 4": 8,
    }
    for item in (KILL, KILL + " "):
        assert isinstance(found[item], AudioFileError)
        assert "was killed" in str(found[item])
