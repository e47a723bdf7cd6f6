"""Compiled code is kept where the user can write, and where nobody can the program runs all the same."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream_sep.lowlevel import code_cache

PROGRAM = """
import logging, sys
logging.basicConfig(format="%(message)s")
from stream_sep.lowlevel import code_cache
from stream_sep.lowlevel.numba_intrinsics import njit_cached
compiling = []
code_cache.on_first_compile(lambda: compiling.append(True))
sys.path.insert(0, sys.argv[1])
import kernel
double = njit_cached(kernel.double)
print(double(21), len(compiling), double._cache.cache_path)
"""


@pytest.fixture
def run(tmp_path):
    """Run a program that compiles one function, with its own folders; return result, compiled or not, folder."""
    (tmp_path / "kernel.py").write_text("def double(x):\n    return 2 * x\n")

    def program(**environment):
        clean = {
            name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            env={**clean, "TMPDIR": str(tmp_path), "HOME": str(tmp_path / "home"), **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        result, compiles, folder = done.stdout.split()
        assert result == "42"
        return int(compiles), folder, done.stderr

    return program


def test_second_run_loads_what_the_first_compiled(run, tmp_path):
    assert run()[0] == 1
    compiles, folder, _ = run()
    assert compiles == 0
    assert Path(folder).is_relative_to(tmp_path / "home" / ".cache" / "stream-sep" / "compiled")


def test_without_a_home_the_temporary_folder_serves(run, tmp_path):
    (tmp_path / "home").write_text("no folder")
    assert run()[0] == 1
    compiles, folder, _ = run()
    assert compiles == 0
    assert Path(folder).is_relative_to(tmp_path / f"stream-sep-{os.getuid()}")


def test_temporary_folder_that_others_may_write_is_not_used(run, tmp_path):
    (tmp_path / "home").write_text("no folder")
    (tmp_path / f"stream-sep-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"stream-sep-{os.getuid()}").chmod(0o777)
    compiles, folder, messages = run()
    assert (compiles, folder) == (1, "None")
    assert "NUMBA_CACHE_DIR" in messages


def test_numba_cache_dir_is_obeyed(run, tmp_path):
    _, folder, _ = run(NUMBA_CACHE_DIR=str(tmp_path / "chosen"))
    assert Path(folder).is_relative_to(tmp_path / "chosen")


def test_code_of_another_version_is_not_loaded(run, monkeypatch):
    _, folder, _ = run()
    monkeypatch.setattr(code_cache, "_COMPILED_PACKAGES", ("lowlevel",))
    code_cache._sources_digest.cache_clear()
    try:
        assert code_cache._sources_digest() not in folder
    finally:
        code_cache._sources_digest.cache_clear()
    monkeypatch.undo()
    assert code_cache._sources_digest() in folder


NOW, RECENT, STALE = ("0" * 16, "1" * 16, "2" * 16)
"""Folders of compiled code are named after a digest of the sources."""


def test_stale_code_is_removed_and_newer_code_of_other_versions_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(code_cache, "code_folders", lambda: (tmp_path / NOW,))
    for name, days in ((NOW, 0), (RECENT, 3), (STALE, 60)):
        (tmp_path / name).mkdir()
        then = time.time() - days * 86400
        os.utime(tmp_path / name, (then, then))
    code_cache.remove_stale_code()
    assert sorted(path.name for path in tmp_path.iterdir()) == [NOW, RECENT]


def test_sweeping_keeps_what_is_used_and_makes_nothing(tmp_path, monkeypatch):
    used, missing, stale, fresh = (tmp_path / (digit * 16) for digit in "0123")
    for folder in (used, stale, fresh):
        folder.mkdir()
    long_ago = time.time() - 40 * 86400
    for folder in (used, stale):
        os.utime(folder, (long_ago, long_ago))
    monkeypatch.setattr(code_cache, "code_folders", lambda: (used, missing))
    code_cache.remove_stale_code()
    assert {folder.name for folder in tmp_path.iterdir()} == {used.name, fresh.name}
    assert used.stat().st_mtime > long_ago + 86400


def test_sweeping_touches_nothing_that_others_keep_beside_or_in_a_folder_of_the_users_choice(tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    monkeypatch.setattr(code_cache.config, "CACHE_DIR", str(chosen))
    theirs = [tmp_path / "photos", chosen / "other_program"]
    for folder in (*theirs, *code_cache.code_folders()):
        folder.mkdir(parents=True)
    for folder in theirs:
        os.utime(folder, (0, 0))
    code_cache.remove_stale_code()
    assert all(folder.is_dir() for folder in theirs)
