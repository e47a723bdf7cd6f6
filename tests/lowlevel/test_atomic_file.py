"""One writer a file, whole files only, and nothing of a killed process that stays for ever."""

import errno
import gc
import glob
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_sep.lowlevel import atomic_file
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


KILLED = """
import os, signal, sys
from pathlib import Path
from stream_sep.lowlevel.atomic_file import atomic_write

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
atomic_write(Path(sys.argv[1]), b"never written")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_next_write_deletes_what_a_killed_process_left(tmp_path):
    target = tmp_path / "a[1].bin"
    for name in (target.name, "b.bin"):
        subprocess.run([sys.executable, "-c", KILLED, tmp_path / name], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with FileClaim(tmp_path / f".{target.name}.0123.tmp") as of_a_running_process:
        atomic_write(target, b"written")
        left = {path.name for path in tmp_path.glob(f".{glob.escape(target.name)}.*")}
        assert left == {of_a_running_process.path.name}
    assert len(list(tmp_path.glob(".b.bin.*.tmp"))) == 1


def interrupt_at_each_instruction(action, error=KeyboardInterrupt):
    """Call ``action`` over and over, with a signal at its first instruction, its second, ...; yield after each call.

    Only instructions of the module count, as C code cannot be interrupted.
    """
    done = False
    while not done:
        for at in itertools.count():
            left = at + 1

            def trace(frame, event, _):
                nonlocal left
                if frame.f_code.co_filename != atomic_file.__file__:
                    return None
                frame.f_trace_opcodes = True
                if event == "opcode":
                    left -= 1
                    if left == 0:
                        sys.settrace(None)
                        raise error
                return trace

            done = True
            sys.settrace(trace)
            try:
                action()
            except error:
                done = False
            finally:
                sys.settrace(None)
            if done:
                break
            yield at


class Terminated(BaseException):
    """As the command line raises for signals other than Ctrl-C."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Terminated])
def test_interrupt_at_any_instruction_leaves_no_claimed_file(tmp_path, error):
    path, claims = tmp_path / "a.part.wav", []
    for at in interrupt_at_each_instruction(lambda: claims.append(FileClaim(path)), error):
        gc.collect()
        assert list(tmp_path.iterdir()) == [], f"after instruction {at}"
    assert at > 50


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files that an interrupt leaves open
def test_interrupt_at_any_instruction_leaves_a_written_file_whole_and_no_other(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"first")
    for at in interrupt_at_each_instruction(lambda: atomic_write(path, b"second")):
        assert list(tmp_path.iterdir()) == [path], f"after instruction {at}"
        assert path.read_bytes() in {b"first", b"second"}
    assert at > 50


def test_lost_claim_of_a_forked_process_stays_with_its_parent(tmp_path):
    claim = FileClaim(tmp_path / "a.part.wav")
    child = os.fork()
    if not child:
        claim.__del__()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert claim.is_ours


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
