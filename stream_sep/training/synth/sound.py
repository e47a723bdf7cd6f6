"""The mix of the band's stems: tone, dynamics, amplifiers, rooms, levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint
from stream_sep.training.data.cache import RATE

if TYPE_CHECKING:
    from stream_sep.protocols import Block

LEVELS = {"vocals": -19.0, "drums": -20.0, "bass": -21.0, "other": -20.0}
"""Mean level of each stem, in dBFS, before it is moved a little."""

_SPREAD_DB = 4.0
_PEAK = 0.9


def process(stem: str, sound: Block, random: np.random.Generator) -> Block:
    """Return a stem as a mixing engineer might have left it.

    Args:
        stem: its name.
        sound: ``(2, frames)``.
        random: source of randomness.

    Raises:
        ConfigError: Pedalboard is not installed.
    """
    try:
        import pedalboard  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"the band needs Pedalboard ({error}); {install_hint('train')}") from error
    chain = _CHAINS[stem](pedalboard, random)
    if not sound.any():
        return sound
    level = float(np.sqrt(np.square(sound).mean()))
    return _run(pedalboard, chain, sound * np.float32(0.1 / (level + 1e-9)))


def balance(stems: dict[str, Block], random: np.random.Generator) -> dict[str, Block]:
    """Return stems at random levels around `LEVELS`, whose mix does not clip.

    Args:
        stems: ``(2, frames)`` by name.
        random: source of randomness.
    """
    placed = {}
    for stem, sound in stems.items():
        loud = sound[:, np.abs(sound).max(axis=0) > 1e-4]
        level = float(np.sqrt(np.square(loud).mean())) if loud.size else 0.0
        target = 10 ** ((LEVELS[stem] + random.uniform(-_SPREAD_DB, _SPREAD_DB)) / 20)
        placed[stem] = sound * np.float32(target / (level + 1e-9)) if level else sound
    peak = max(1e-9, *(float(np.abs(sound).max()) for sound in (*placed.values(), sum(placed.values()))))
    gain = np.float32(min(1.0, _PEAK / peak))
    return {stem: sound * gain for stem, sound in placed.items()}


def panned(sound: Block, place: float) -> Block:
    """Return sound moved to a side, -1 to 1, at equal power.

    Args:
        sound: ``(2, frames)``.
        place: -1 for left to 1 for right.
    """
    angle = np.pi / 4 * (1 + place)
    gains = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(np.sqrt(2))
    return sound * gains


def _vocals(pedalboard: Any, random: np.random.Generator) -> list[Any]:  # noqa: ANN401 - a module without types
    chain = [
        pedalboard.HighpassFilter(float(random.uniform(70, 160))),
        pedalboard.PeakFilter(float(random.uniform(1500, 6000)), float(random.uniform(-3, 5)), 0.8),
        pedalboard.Compressor(-24, float(random.uniform(2, 6)), 3, 80),
    ]
    if random.random() < 0.3:
        chain.append(pedalboard.Delay(float(random.uniform(0.1, 0.4)), 0.25, float(random.uniform(0.05, 0.25))))
    if random.random() < 0.1:
        chain.append(pedalboard.Distortion(float(random.uniform(6, 16))))
    return [*chain, _room(pedalboard, random, 0.3)]


def _drums(pedalboard: Any, random: np.random.Generator) -> list[Any]:  # noqa: ANN401 - as above
    chain = [pedalboard.LowShelfFilter(120, float(random.uniform(-3, 4))), _air(pedalboard, random)]
    if random.random() < 0.6:
        chain.append(pedalboard.Compressor(-20, float(random.uniform(2, 8)), float(random.uniform(1, 20)), 120))
    if random.random() < 0.15:
        chain.append(pedalboard.Distortion(float(random.uniform(4, 14))))
    return [*chain, _room(pedalboard, random, 0.15)]


def _bass(pedalboard: Any, random: np.random.Generator) -> list[Any]:  # noqa: ANN401 - as above
    chain = [pedalboard.Compressor(-24, float(random.uniform(2, 6)), 10, 150)]
    if random.random() < 0.35:
        chain.append(pedalboard.Distortion(float(random.uniform(5, 22))))
    return [*chain, pedalboard.LowpassFilter(float(random.uniform(1200, 7000)))]


def _other(pedalboard: Any, random: np.random.Generator) -> list[Any]:  # noqa: ANN401 - as above
    return [
        pedalboard.HighpassFilter(float(random.uniform(40, 200))),
        _air(pedalboard, random),
        pedalboard.Compressor(-20, float(random.uniform(1.5, 4)), 10, 150),
        _room(pedalboard, random, 0.3),
    ]


def amplifier(sound: Block, random: np.random.Generator) -> Block:
    """Return a guitar through an overdriven amplifier and its loudspeaker, or a chorus, by chance.

    Args:
        sound: ``(2, frames)``.
        random: source of randomness.
    """
    import pedalboard  # noqa: PLC0415 - an extra, which `process` requires

    if random.random() < 0.5:
        drive = float(random.uniform(8, 32))
        chain = [pedalboard.Distortion(drive), pedalboard.HighpassFilter(90), pedalboard.LowpassFilter(4800)]
    else:
        chain = [pedalboard.Chorus(float(random.uniform(0.4, 2)), 0.25), pedalboard.LowpassFilter(9000)]
    level = float(np.sqrt(np.square(sound).mean())) + 1e-9
    played = _run(pedalboard, chain, sound * np.float32(0.1 / level))
    return played * np.float32(level / (float(np.sqrt(np.square(played).mean())) + 1e-9))


def _run(pedalboard: Any, chain: list[Any], sound: Block) -> Block:  # noqa: ANN401 - as above
    played: Block = pedalboard.Pedalboard(chain)(sound, RATE)
    return played


def _air(pedalboard: Any, random: np.random.Generator) -> Any:  # noqa: ANN401 - as above
    return pedalboard.HighShelfFilter(float(random.uniform(4000, 9000)), float(random.uniform(-4, 4)))


def _room(pedalboard: Any, random: np.random.Generator, most: float) -> Any:  # noqa: ANN401 - as above
    wet = float(random.uniform(0, most))
    return pedalboard.Reverb(room_size=float(random.uniform(0.1, 0.8)), wet_level=wet, dry_level=1 - wet)


_CHAINS = {"vocals": _vocals, "drums": _drums, "bass": _bass, "other": _other}
