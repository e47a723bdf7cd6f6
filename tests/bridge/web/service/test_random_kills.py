"""A whole service under load, its processes killed again and again: nothing that was accepted may be lost.

Six kills unless STREAM_SEP_KILLS sets the number; ``stream-sep bench web-kills`` makes two hundred.
"""

import os

from bridge.benchmarks.web_kills import run_kills

KILLS = int(os.environ.get("STREAM_SEP_KILLS", "6"))


def test_nothing_accepted_is_lost_whatever_is_killed_when(tmp_path, database):
    found = run_kills(tmp_path, KILLS, clients=2, max_pause=4.0, seed=7, database=database)
    assert found.violations == (), found.figures()
    assert sum(found.kills.values()) == KILLS
    assert found.states.get("ready", 0) >= KILLS / 4, found.figures()
