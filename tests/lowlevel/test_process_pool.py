"""A pool of processes that ends with its block."""

import multiprocessing
import tempfile
import time
from pathlib import Path

import pytest
import waiting

from stream_sep.lowlevel.process_pool import process_pool


def make_temporary_folder():
    return tempfile.mkdtemp()


def test_pool_computes_and_deletes_temporary_files():
    with process_pool(2) as pool:
        assert pool.submit(pow, 2, 3).result() == 8
        folder = Path(pool.submit(make_temporary_folder).result())
        assert folder.is_dir()
    assert not folder.exists()


def test_error_in_the_block_kills_calls_that_would_last():
    def work(pool):
        hanging = pool.submit(time.sleep, 600)
        waiting.until(hanging.running)
        raise KeyError("out")

    with pytest.raises(KeyError), process_pool(1) as pool:
        work(pool)
    assert multiprocessing.active_children() == []
