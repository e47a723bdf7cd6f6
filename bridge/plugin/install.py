"""Installs the plug-in where DAWs look for it, and removes it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bridge.plugin.build import compile_plugin, shipped_binary, this_system
from bridge.plugin.locations import command_file, log_file
from bridge.plugin.lv2_bundle import description, manifest
from stream_sep.errors import ConfigError, reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMATS = ("vst3", "clap", "lv2")
"""The formats that the binary implements."""

FOLDER_VARIABLE = "STREAM_SEP_PLUGIN_FOLDER"
"""Folder to install the plug-in to, in all formats; for tests."""

_NAMES = {"vst3": "StreamSep.vst3", "clap": "StreamSep.clap", "lv2": "stream_sep.lv2"}
_INFO_PLIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>CFBundleExecutable</key><string>StreamSep</string>
<key>CFBundleIdentifier</key><string>io.stream-sep.plugin</string>
<key>CFBundleName</key><string>StreamSep</string>
<key>CFBundlePackageType</key><string>BNDL</string>
<key>CFBundleVersion</key><string>0.2.0</string>
</dict></plist>
"""


@dataclass(frozen=True)
class Installed:
    """One format of the plug-in.

    Attributes:
        format: ``vst3``, ``clap`` or ``lv2``.
        path: the bundle or file that DAWs find.
        present: whether it is there.
    """

    format: str
    path: Path
    present: bool


def list_plugins() -> tuple[Installed, ...]:
    """Return every format of this system, and whether it is installed."""
    return tuple(Installed(name, path, path.exists()) for name, path in plugin_paths().items())


def install_plugins(formats: Iterable[str] = (), *, binary: Path | None = None) -> tuple[Installed, ...]:
    """Install the plug-in for this user.

    Args:
        formats: some of `FORMATS`; all of this system unless given.
        binary: to install; by default the one that ships, else one compiled now.

    Returns:
        The installed formats.

    Raises:
        ConfigError: an unknown format, no compiler, or a folder that cannot be written.
    """
    paths = plugin_paths()
    chosen = _checked(formats, paths)
    with TemporaryDirectory() as folder:
        made = binary or shipped_binary(this_system()) or _compiled(Path(folder))
        try:
            for name in chosen:
                _replace(paths[name], name, made)
            _write_command()
        except OSError as error:
            raise ConfigError(
                f"cannot install the plug-in in {error.filename}: {reason(error)}; is a DAW running that has it open?"
            ) from error
    return tuple(Installed(name, paths[name], present=True) for name in chosen)


def remove_plugins(formats: Iterable[str] = ()) -> tuple[Installed, ...]:
    """Remove the plug-in for this user; return the removed formats.

    Raises:
        ConfigError: an unknown format, or a file that cannot be removed.
    """
    paths = plugin_paths()
    chosen = _checked(formats, paths)
    removed = tuple(Installed(name, paths[name], present=False) for name in chosen if paths[name].exists())
    try:
        for plugin in removed:
            _remove(plugin.path)
        if not any(path.exists() for path in paths.values()):
            for file in (command_file(), log_file()):
                file.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot remove the plug-in from {error.filename}: {reason(error)}; is a DAW running that has it open?"
        ) from error
    return removed


def plugin_paths() -> dict[str, Path]:
    """Return the path of each format for this user on this system."""
    given = os.environ.get(FOLDER_VARIABLE)
    folders = (
        {name: Path(given) for name in FORMATS} if given else plugin_folders(sys.platform, Path.home(), os.environ)
    )
    return {name: folder / _NAMES[name] for name, folder in folders.items()}


def plugin_folders(system: str, home: Path, environment: Mapping[str, str]) -> dict[str, Path]:
    """Return where DAWs look for each format.

    Args:
        system: as `sys.platform` names it.
        home: the user's folder.
        environment: variables by name, as in `os.environ`.

    >>> plugin_folders("linux", Path("/home/me"), {})["vst3"].as_posix()
    '/home/me/.vst3'
    """
    if system == "darwin":
        plugins = home / "Library" / "Audio" / "Plug-Ins"
        return {"vst3": plugins / "VST3", "clap": plugins / "CLAP", "lv2": plugins / "LV2"}
    if system == "win32":
        local = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
        roaming = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
        common = local / "Programs" / "Common"
        return {"vst3": common / "VST3", "clap": common / "CLAP", "lv2": roaming / "LV2"}
    return {name: home / f".{name}" for name in FORMATS}


def host_command() -> list[str]:
    """Return the command with which the plug-in starts the host."""
    return [sys.executable, "-P", "-m", "stream_sep", "host"]


def write_bundle(path: Path, form: str, binary: Path) -> None:
    """Write one format of the plug-in at ``path``, which must not exist yet.

    Args:
        path: where to write.
        form: the plug-in format.
        binary: the compiled plug-in.
    """
    if form == "clap" and sys.platform != "darwin":
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(binary, path)
        return
    inside = _binary_inside(form)
    (path / inside).parent.mkdir(parents=True)
    shutil.copy(binary, path / inside)
    if form == "lv2":
        (path / "manifest.ttl").write_text(manifest(inside.name), encoding="utf-8")
        (path / "stream_sep.ttl").write_text(description(), encoding="utf-8")
    elif sys.platform == "darwin":
        (path / "Contents" / "Info.plist").write_text(_INFO_PLIST, encoding="utf-8")


def _binary_inside(form: str) -> Path:
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    if form == "lv2":
        return Path("stream_sep" + suffix)
    if sys.platform == "darwin":
        return Path("Contents", "MacOS", "StreamSep")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if sys.platform == "win32":
        return Path("Contents", f"{machine}-win".replace("aarch64", "arm64"), "StreamSep.vst3")
    return Path("Contents", f"{machine}-linux", "StreamSep.so")


def _checked(formats: Iterable[str], paths: Mapping[str, Path]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(formats)) or tuple(paths)
    for name in chosen:
        if name not in paths:
            raise ConfigError(f"unknown plug-in format {name!r}; choose from {', '.join(paths)}")
    return chosen


def _compiled(folder: Path) -> Path:
    out = folder / "plugin"
    compile_plugin(out)
    return out


def _replace(path: Path, form: str, binary: Path) -> None:
    """Write beside ``path``, then move it there: a DAW finds the old one or the new one, never half of either."""
    fresh = path.with_name(f".{path.name}.new")
    _remove(fresh)
    try:
        write_bundle(fresh, form, binary)
        _remove(path)
        fresh.rename(path)
    finally:
        _remove(fresh)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_command() -> None:
    file = command_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".new")
    fresh.write_text("\n".join(host_command()) + "\n", encoding="utf-8")
    fresh.replace(file)
