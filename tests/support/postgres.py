"""A PostgreSQL server for tests: of Debian's package, in its own folder, on a socket there."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NEEDS = "needs PostgreSQL: apt install postgresql, pip install 'stream-sep[web-postgres]'"
_START_SECONDS = 60


def find_programs():
    """Return the folder of initdb and postgres, the newest version's, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextlib.contextmanager
def running_postgres():
    """Run a server; give a function that makes an empty database and returns its URL."""
    programs, folder = find_programs(), Path(tempfile.mkdtemp(prefix="stream-sep-pg-"))
    user = _server_user()
    if user:
        shutil.chown(folder, user)
    command = ["runuser", "-u", user, "--"] if user else []
    made = [*command, programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True)
    options = ["-c", "fsync=off", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses="]
    server = [*command, programs / "postgres", "-D", folder / "data", *options]
    with (folder / "log").open("wb") as log, subprocess.Popen(server, stdout=log, stderr=log) as process:
        try:
            _wait(folder)
            yield lambda: _create(folder)
        finally:
            (folder / "data" / "postmaster.pid").exists() and _stop(folder)
            process.wait(_START_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def _server_user():
    """Return the user that the server runs as: it refuses to be root."""
    if os.getuid():
        return None
    import pwd  # noqa: PLC0415 - Windows has none, and modules for it must import

    return pwd.getpwnam("postgres").pw_name


def _connect(folder, name="postgres"):
    import psycopg  # noqa: PLC0415 - optional

    return psycopg.connect(f"postgresql://postgres@/{name}?host={folder}", autocommit=True)


def _wait(folder):
    import psycopg  # noqa: PLC0415 - as above

    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _connect(folder).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _create(folder):
    name = f"test_{time.monotonic_ns()}"
    with _connect(folder) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={folder}"


def _stop(folder):
    pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, 2)  # SIGINT: fast shutdown, which ends sessions
