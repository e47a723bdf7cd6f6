"""One writer a file, whole files only, and nothing of a killed process that stays for ever."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_sep.lowlevel.atomic_file import FileClaim, atomic_write, is_claimed, remove_stale


def test_atomic_write_replaces_the_file_and_leaves_no_other(tmp_path):
    target = tmp_path / "folder" / "a.bin"
    for data in (b"first", b"second"):
        atomic_write(target, data)
        assert target.read_bytes() == data
    assert list(target.parent.iterdir()) == [target]


def test_atomic_write_that_fails_keeps_what_was_there(tmp_path, monkeypatch):
    target = tmp_path / "a.bin"
    atomic_write(target, b"first")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(target, b"second")
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_claimed_file_cannot_be_claimed_again(tmp_path):
    path = tmp_path / "a.part.wav"
    with FileClaim(path):
        path.write_bytes(b"sound")
        with pytest.raises(BlockingIOError, match="another process"):
            FileClaim(path)
        assert path.read_bytes() == b"sound"
    assert not path.exists()


def test_a_renamed_file_stays(tmp_path):
    path, target = tmp_path / "a.part.wav", tmp_path / "a.wav"
    with FileClaim(path) as claim:
        path.write_bytes(b"sound")
        claim.rename(target)
    assert target.read_bytes() == b"sound"
    assert not path.exists()


def test_a_file_that_somebody_replaced_is_not_published(tmp_path):
    path, target = tmp_path / "a.part.wav", tmp_path / "a.wav"
    with FileClaim(path) as claim:
        path.unlink()
        path.write_bytes(b"not ours")
        with pytest.raises(FileNotFoundError):
            claim.rename(target)
    assert path.read_bytes() == b"not ours"


def test_a_replaced_claim_still_locks(tmp_path):
    first, second = tmp_path / "a.part.wav", tmp_path / "b.part.wav"
    with FileClaim(first) as claim:
        other = FileClaim(second)
        second.write_bytes(b"tagged")
        claim.replace(other)
        other.remove()
        assert first.read_bytes() == b"tagged"
        assert is_claimed(first)
    assert not list(tmp_path.iterdir())


_HOLD = "import sys; from pathlib import Path; from stream_sep.lowlevel.atomic_file import FileClaim\n"
_HOLD += "claim = FileClaim(Path(sys.argv[1])); claim.path.write_bytes(b'x' * 9); print('held', flush=True); input()"


def test_what_a_killed_process_left_is_stale_and_what_a_living_one_writes_is_not(tmp_path):
    path = tmp_path / "a.part.wav"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert is_claimed(path)
        assert remove_stale([path]) == []
        with pytest.raises(BlockingIOError):
            FileClaim(path)
        holder.kill()
    assert path.stat().st_size == 9
    assert not is_claimed(path)
    assert remove_stale([path, tmp_path / "never.part.wav"]) == [path]
    assert not path.exists()


def test_a_stale_file_is_claimed_and_emptied(tmp_path):
    path = Path(tmp_path / "a.part.wav")
    path.write_bytes(b"of a process that was killed")
    with FileClaim(path):
        assert path.stat().st_size == 0


@pytest.mark.skipif(sys.platform == "win32", reason="locks files otherwise")
def test_where_there_are_no_locks_nothing_is_taken_for_stale(tmp_path, monkeypatch):
    def refuse(_handle, _how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    path = tmp_path / "a.part.wav"
    with FileClaim(path):
        assert remove_stale([path]) == []
        assert is_claimed(path)
