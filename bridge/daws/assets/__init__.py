"""Files that DAWs need of us, as they ship: found in a wheel as in a checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from stream_sep.errors import BridgeError, reason

DAW_FILES = {
    "reaper": ("StreamSep.ReaperOSC",),
    "cubase": ("StreamSep_Stems.js", "cubase.toml"),
}
"""The files of a DAW."""


def read_daw_file(name: str) -> str:
    """Return the text of a file that ships.

    Args:
        name: such as ``StreamSep.ReaperOSC``.

    Raises:
        BridgeError: there is no file of that name.

    >>> read_daw_file("StreamSep.ReaperOSC").splitlines()[-1]
    'ACTION t/action/@'
    """
    known = [file for files in DAW_FILES.values() for file in files]
    if name not in known:
        raise BridgeError(f"no file {name!r} for a DAW; choose from {', '.join(known)}")
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def write_daw_files(daw: str, folder: Path | str) -> tuple[Path, ...]:
    """Write the files that a DAW needs into a folder, which is made; return them.

    Args:
        daw: its name, one of `DAW_FILES`.
        folder: made if it is not there.

    Returns:
        The files written.

    Raises:
        BridgeError: the DAW needs none, or the folder cannot be written to.
    """
    if daw not in DAW_FILES:
        raise BridgeError(f"{daw!r} needs no file of ours; these do: {', '.join(DAW_FILES)}")
    written = tuple(Path(folder) / name for name in DAW_FILES[daw])
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path in written:
            path.write_text(read_daw_file(path.name), encoding="utf-8")
    except OSError as error:
        raise BridgeError(f"cannot write to {folder}: {reason(error)}; name another folder") from error
    return written
