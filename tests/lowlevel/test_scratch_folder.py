"""Temporary folders: deleted by their process, or by the next one where it is killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stream_sep.lowlevel.scratch_folder import ScratchFolder


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files, here and in child processes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_folder_is_deleted_with_its_files(temporary):
    with ScratchFolder() as folder:
        assert folder.parent == temporary
        (folder / "song").write_bytes(b"sound")
    assert list(temporary.iterdir()) == []


OWNER = """
import sys
from stream_sep.lowlevel.scratch_folder import ScratchFolder

folder = ScratchFolder()
(folder.path / "song").write_bytes(b"sound")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_folder_of_a_killed_process_is_deleted_by_the_next_and_that_of_a_running_one_is_not(temporary):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    owners = [subprocess.Popen([sys.executable, "-c", OWNER], **pipes) for _ in range(2)]
    killed, running = (Path(owner.stdout.readline().strip()) for owner in owners)
    owners[0].send_signal(signal.SIGKILL)
    owners[0].communicate()
    assert (killed / "song").exists()
    foreign = temporary / "stream-sep-scratch-link"
    foreign.symlink_to(temporary / "elsewhere", target_is_directory=True)
    with ScratchFolder():
        assert not killed.exists()
        assert (running / "song").exists()
        assert foreign.is_symlink()
    owners[1].send_signal(signal.SIGKILL)
    owners[1].communicate()
