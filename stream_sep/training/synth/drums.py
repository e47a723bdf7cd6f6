"""A drummer: grooves on a grid of sixteenths, fills, ghost notes, unsteady hands, and kits of recorded hits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from stream_sep.training.data.cache import RATE
from stream_sep.training.synth.samples import place, read_sample

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.protocols import Block
    from stream_sep.training.synth.score import Score

Kit: TypeAlias = "dict[str, tuple[Path, ...]]"

_ROLES = {
    "kick": r"kick|^bd_|heavy_kick|bass_(hard|soft)$",
    "snare": r"^snare(?!.*(bottom|rest|buttend))|^sn_|drum_snare|elec_(hi|lo)_snare",
    "stick": r"side_?stick|rimshot|xstick|perc_snap|clap",
    "closed": r"hihat_closed|^chh|closed-hihat|cymbal_closed|^hat_",
    "open": r"hihat_open|^ohh|hohh|cymbal_open",
    "tom": r"tom",
    "crash": r"crash|splash|china",
    "ride": r"^ride(?!.*bell)",
    "shaker": r"shaker|cabas|tamb|sleigh",
}
"""Role in a kit -> pattern of the names of its hits."""

_GROOVES = (
    {"kick": "x.......x.......", "snare": "....x.......x...", "closed": "x.x.x.x.x.x.x.x."},
    {"kick": "x..x....x..x....", "snare": "....x..g.g..x..g", "closed": "x.x.x.x.x.x.x.x."},
    {
        "kick": "x...x...x...x...",
        "snare": "....x.......x...",
        "open": "..x...x...x...x.",
        "closed": "x...x...x...x...",
    },
    {"kick": "x.....x.x.......", "snare": "....x.......x...", "ride": "x.x.x.x.x.x.x.x."},
    {"kick": "x..g..x...x..x..", "snare": "....x..g....x...", "closed": "xxxxxxxxxxxxxxxx"},
    {
        "kick": "x.........x.....",
        "stick": "....x.......x...",
        "closed": "x.xxx.xxx.xxx.xx",
        "shaker": "xgxgxgxgxgxgxgxg",
    },
    {"kick": "x.....x...x.....", "snare": "........x.......", "closed": "x.x.x.x.x.x.x.x."},
    {"kick": "x.x...x.x.x.....", "snare": "....x.......x..x", "open": "x...x...x...x..."},
    {"kick": "x..x..x..x..x...", "stick": "...x..x....x..x.", "shaker": "x.x.x.x.x.x.x.x."},
    {
        "kick": "x.......x.......",
        "snare": "....x.......x...",
        "ride": "x...x...x...x...",
        "stick": "..............g.",
    },
)
"""A bar a groove: x is a hit, g a ghost of one."""

_GHOST = 0.25
_ASSORTED = ("sonic-pi", "billie_drum")
"""Folders whose hits are other drums, not the same one louder."""


def find_kits(folder: Path) -> list[Kit]:
    """List the kits of a sample library: of each folder of drums the hits that their names identify."""
    kits = []
    for name in ("drumkit", "drums2/muldjord_kit", "drums2/billie_drum", "sonic-pi"):
        hits = sorted((folder / name).glob("**/*.ogg"), key=_by_number)
        kit = {
            role: tuple(path for path in hits if re.search(pattern, path.stem)) for role, pattern in _ROLES.items()
        }
        kit = {role: paths for role, paths in kit.items() if paths}
        if {"kick", "snare"} <= set(kit):
            kits.append(kit)
    return kits


def drum(kits: list[Kit], score: Score, random: np.random.Generator) -> Block:
    """Return drums for a score, float32 ``(2, frames)``.

    Args:
        kits: recorded hits.
        score: chords and tempo.
        random: source of randomness.
    """
    kit = _mixed_kit(kits, random)
    grooves = [_GROOVES[int(random.integers(len(_GROOVES)))] for _ in range(2)]
    out = np.zeros((2, int(score.seconds * RATE) + RATE), np.float32)
    step = score.beat / 4
    swing = random.choice([0.0, 0.0, 0.12, 0.3])
    bars = int(score.seconds / (16 * step))
    entry = int(random.integers(0, 3)) if random.random() < 0.3 else 0
    for bar in range(entry, bars):
        groove = grooves[bar // 8 % 2]
        fill = bar % 4 == 3 and random.random() < 0.6
        for hit_step, role, velocity in _bar_of(groove, fill=fill, first=bar % 8 == 0, random=random):
            late = swing * step * (hit_step % 2) + random.normal(0, 0.006)
            _hit(out, kit, (role, max((16 * bar + hit_step) * step + late, 0.0), velocity), random)
    return out[:, : int(score.seconds * RATE)]


def _bar_of(
    groove: dict[str, str], *, fill: bool, first: bool, random: np.random.Generator
) -> list[tuple[int, str, float]]:
    """Return the hits of a bar: step, role, velocity."""
    hits = [(0, "crash", 0.9)] if first and random.random() < 0.7 else []
    last = 12 if fill else 16
    for role, steps in groove.items():
        for step in range(last):
            if steps[step] != "." and random.random() > 0.03:
                accent = 0.15 * (step % 4 == 0)
                velocity = _GHOST if steps[step] == "g" else 0.65 + accent
                hits.append((step, role, velocity + random.normal(0, 0.07)))
    if fill:
        roles = random.choice(["snare", "tom", "tom"], 4)
        hits += [(12 + n, str(role), 0.6 + 0.1 * n) for n, role in enumerate(roles) if random.random() < 0.85]
    return hits


def _hit(out: Block, kit: Kit, hit: tuple[str, float, float], random: np.random.Generator) -> None:
    role, at, velocity = hit
    paths = kit.get(role) or kit["snare" if role in ("stick", "tom") else "kick"]
    if role not in kit and role not in ("stick", "tom"):
        return
    layer = np.clip(velocity + random.normal(0, 0.08), 0, 0.999)
    sound = read_sample(paths[int(layer * len(paths))])
    place(out, sound, at, 0.15 if role == "closed" else None, float(np.clip(velocity, 0.05, 1.2)) ** 1.5)


def _mixed_kit(kits: list[Kit], random: np.random.Generator) -> Kit:
    """Return a kit; now and then with a drum of another, and of hits without order only one for each drum."""
    kit = dict(kits[int(random.integers(len(kits)))])
    for role in list(kit):
        if random.random() < 0.2:
            other = kits[int(random.integers(len(kits)))]
            kit[role] = other.get(role, kit[role])
        if kit[role][0].parent.name in _ASSORTED:
            kit[role] = (kit[role][int(random.integers(len(kit[role])))],)
    return kit


def _by_number(path: Path) -> tuple[str, int]:
    number = re.search(r"(\d+)$", path.stem)
    return (path.stem.rstrip("0123456789"), int(number[1]) if number else 0)
