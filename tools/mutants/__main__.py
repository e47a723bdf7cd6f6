"""Make each change of ``mutants.toml`` in a copy of the project and run the test that has to fail: ``make mutants``.

    python tools/mutants [--only WORDS] [--list]

Exits with 1 if a named test passes in spite of its change, or fails without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.toml")
_TIMEOUT = 600  # a change may make a test hang, which counts as failing
_PASSED, _FAILED, _BROKEN = 0, 1, 2  # pytest's exit codes
_NOT_COMPILED = "cannot compile the plug-in"  # as bridge/plugin/build.py reports it


@dataclass(frozen=True)
class Mutant:
    """One change and the test that has to detect it.

    Attributes:
        name: the defect.
        file: where, from the root of the project.
        old: text that occurs exactly once.
        new: its replacement.
        test: pytest's id of the test.
    """

    name: str
    file: str
    old: str
    new: str
    test: str


def read_mutants(path: Path = LIST) -> list[Mutant]:
    """Return the list.

    Raises:
        TypeError: a table with an unknown key, or without a required one.
    """
    return [Mutant(**table) for table in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]]


def mutated(text: str, mutant: Mutant) -> str:
    """Return the source with the change made.

    Raises:
        ValueError: the text to replace does not occur exactly once.
    """
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} has {text.count(mutant.old)} times what {mutant.name!r} changes, not once")
    return text.replace(mutant.old, mutant.new)


class Copy:
    """A copy of the project in which tests are run.

    Args:
        folder: an empty folder.

    Attributes:
        output: that of the last run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.output = folder, ""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def run(self, *tests: str) -> int:
        """Return pytest's exit code of tests; a test that hangs fails."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._folder),
            "NUMBA_CACHE_DIR": str(self._folder / "compiled"),
        }
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.output = f"no end in {_TIMEOUT} s"
            return _FAILED
        self.output = done.stdout + done.stderr
        return done.returncode

    def run_with(self, mutant: Mutant) -> int:
        """Return the exit code of a mutant's test with the change made."""
        path = self._folder / mutant.file
        text = path.read_text(encoding="utf-8")
        path.write_text(mutated(text, mutant), encoding="utf-8")
        try:
            code = self.run(mutant.test)
            return _BROKEN if _NOT_COMPILED in self.output else code
        finally:
            path.write_text(text, encoding="utf-8")


def verdict(code: int) -> str:
    """Return the verdict: ``seen``, ``NOT SEEN``, or ``BROKEN`` if no test ran."""
    return {_FAILED: "seen", _PASSED: "NOT SEEN"}.get(code, "BROKEN")


def main() -> None:
    """Run the list, or part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="those whose name or file has these words")
    parser.add_argument("--list", action="store_true", help="print the list and run nothing")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in read_mutants() if arguments.only in f"{mutant.name} {mutant.file}"]
    if arguments.list:
        print("\n".join(f"{mutant.file}: {mutant.name}" for mutant in chosen))
        return
    with tempfile.TemporaryDirectory(prefix="stream_sep_mutants_") as folder:
        copy, missed = Copy(Path(folder)), 0
        tests = tuple(dict.fromkeys(mutant.test for mutant in chosen))
        if copy.run(*tests) != _PASSED:
            print(copy.output)
            sys.exit("without any change, the tests do not pass")
        for number, mutant in enumerate(chosen, 1):
            started = time.monotonic()
            found = verdict(copy.run_with(mutant))
            missed += found != "seen"
            seconds = time.monotonic() - started
            print(f"{found:8}  {seconds:5.1f} s  {number}/{len(chosen)}  {mutant.name}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} changes were seen by their tests")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
