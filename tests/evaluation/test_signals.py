"""The measures, against signals of known results."""

import subprocess
import sys
import time

import numpy as np
import pytest

from stream_sep.evaluation.signals import cpu_seconds, delay_between, null_db
from stream_sep.files.demo_song import load_demo_song


@pytest.mark.parametrize("delay", [-300, -1, 0, 1, 1152])
def test_the_delay_of_music_is_found_to_the_frame(delay):
    song = load_demo_song().mix[:, 100000:180000]
    later = np.roll(song, delay, axis=1)
    assert delay_between(song, later) == delay


def test_a_null_of_equals_is_bottomless_and_of_strangers_is_not():
    sound = np.ones((2, 100), np.float32)
    assert null_db(sound, sound) == -300
    assert null_db(sound, sound * np.float32(0.9)) == pytest.approx(-20, abs=0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the memory of children")
def test_processor_time_counts_the_children_that_run():
    work = "sum(range(3 * 10**7)); print(flush=True); input()"
    own, all_of_us = time.process_time(), cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        spent, own = cpu_seconds() - all_of_us, time.process_time() - own
        child.communicate(b"\n")
    assert spent > own + 0.1
