"""Waiting for what another thread or process does."""

import time

PATIENCE = 90.0
"""Seconds that anything may take, on a machine that does much else."""

QUIET = 0.15
"""Seconds in which something that should not come would have come."""


def until(condition, patience=PATIENCE, every=0.005):
    """Wait until ``condition()`` is true, or fail; check it ``every`` so many seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(every)
