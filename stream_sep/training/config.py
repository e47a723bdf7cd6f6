"""A training, written down: one TOML file holds all that decides its result but the data."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stream_sep.errors import ConfigError
from stream_sep.training.augmentation import AugmentConfig
from stream_sep.training.data.remix import MixConfig

Table = TypeVar("Table")

PRECISIONS = ("float32", "tf32", "bfloat16", "auto")


@dataclass(frozen=True)
class DataConfig:
    """What to train on.

    Attributes:
        caches: folders that ``stream-sep data build`` made, relative to the config file's.
        weights: how often a song of each is drawn; 1 for all unless given.
        validation_caches: those of them whose kept songs are validated on; all unless given.
        validation_percent: how many percent of the artists are kept out of training.
    """

    caches: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    validation_caches: tuple[str, ...] = ()
    validation_percent: int = 16


@dataclass(frozen=True)
class TeachConfig:
    """Trained networks to learn from, beside the true stems.

    Attributes:
        teachers: files of their weights, relative to the config file's.
        share: how much of the loss is what is not as the mean of their stems.
    """

    teachers: tuple[str, ...] = ()
    share: float = 0.5


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: batches in all; 0 leaves it to ``minutes``.
        minutes: time in all, over all sittings; 0 leaves it to ``steps``.
        batch: mixes a step.
        seconds: length of a mix.
        settle_seconds: the beginning of each mix that does not count, as the memory is still empty.
        carry: share of the batches that go on with the memory of those before them, which was of other songs: what
            happens to a stream that plays for hours.
        learning_rate: the highest, of AdamW; it falls to nothing along a cosine.
        warmup: share of the training in which it rises.
        weight_decay: of AdamW.
        clip: the greatest norm of a gradient.
        ema: decay of the moving average of the weights, which is what is kept.
        loss: one of `LOSSES`.
        spectral: how much spectra count in it.
        precision: ``float32``, ``tf32``, or ``bfloat16`` where the device has it; ``auto`` is the last on CPUs
            that are faster with it, and ``tf32`` elsewhere.
        seed: of all chance.
        validate_every: steps from validation to validation.
        checkpoint_seconds: time from checkpoint to checkpoint.
        threads: CPU threads; torch's own choice if 0.
        play_hop: frames of the hops in which it will be played, where they are shorter than the network's: it is then
            trained with windows as short, and with answers as late, as they are on stage; 0 for its own.
        dropout: share of the numbers within a causal network that are left out at random, hop by hop.
        blank: share of what each of its bands is shown that is left out for a whole mix.
        begin: file of weights to begin with, relative to the config file's folder; random ones unless given.
    """

    steps: int = 0
    minutes: float = 0.0
    batch: int = 8
    seconds: float = 6.0
    settle_seconds: float = 0.3
    carry: float = 0.5
    learning_rate: float = 1e-3
    warmup: float = 0.03
    weight_decay: float = 1e-2
    clip: float = 5.0
    ema: float = 0.999
    loss: str = "energy"
    spectral: float = 1.0
    precision: str = "tf32"
    seed: int = 1
    validate_every: int = 500
    checkpoint_seconds: float = 60.0
    threads: int = 0
    play_hop: int = 0
    dropout: float = 0.0
    blank: float = 0.0
    begin: str = ""


@dataclass(frozen=True)
class TrainConfig:
    """A whole training.

    Attributes:
        name: the config file's, without its ending.
        folder: where relative paths of caches begin.
        network: table of the network's ``kind`` and sizes.
        data: what to train on.
        mix: how mixes are put together.
        augment: what happens to them.
        training: how to train.
        teach: what else to learn from.
        home: where relative paths of teachers begin: the config file's folder.
    """

    name: str
    folder: Path
    network: dict[str, Any]
    data: DataConfig
    mix: MixConfig = field(default_factory=MixConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    teach: TeachConfig = field(default_factory=TeachConfig)
    home: Path = Path()

    def __post_init__(self) -> None:
        """Refuse nonsense in a sentence."""
        training, data = self.training, self.data
        if not data.caches:
            raise ConfigError(f"{self.name}: [data] caches names no cache; make one with 'stream-sep data build'")
        if data.weights and len(data.weights) != len(data.caches):
            raise ConfigError(f"{self.name}: [data] has {len(data.caches)} caches, but {len(data.weights)} weights")
        if strange := set(data.validation_caches) - set(data.caches):
            raise ConfigError(f"{self.name}: validation_caches {min(strange)!r} is none of the caches")
        if not (training.steps > 0 or training.minutes > 0):
            raise ConfigError(f"{self.name}: [training] needs steps or minutes, to know when to end")
        if training.precision not in PRECISIONS:
            raise ConfigError(f"{self.name}: precision {training.precision!r} is none of {', '.join(PRECISIONS)}")
        if training.batch < 1 or not 0 <= training.settle_seconds < training.seconds:
            raise ConfigError(f"{self.name}: a batch holds at least 1 mix, and a mix is longer than it settles")
        if max(training.dropout, training.blank) >= 1:
            raise ConfigError(
                f"{self.name}: dropout and blank are shares of a whole, below 1: they leave nothing over"
            )
        if self.teach.share > 1:
            raise ConfigError(f"{self.name}: [teach] share is one of the loss, from 0 to 1, not {self.teach.share}")

    @property
    def caches(self) -> list[tuple[Path, float]]:
        """Folders of the caches, with their weights."""
        weights = self.data.weights or (1.0,) * len(self.data.caches)
        return [(self.folder / cache, weight) for cache, weight in zip(self.data.caches, weights, strict=True)]

    @property
    def validation_caches(self) -> list[tuple[Path, float]]:
        """Folders of the caches to validate on."""
        return [(self.folder / cache, 1.0) for cache in self.data.validation_caches or self.data.caches]

    @property
    def teachers(self) -> list[Path]:
        """Files of the weights to learn from."""
        return [self.home / name for name in self.teach.teachers]


def read_config(path: Path) -> TrainConfig:
    """Read a training from a file.

    Raises:
        ConfigError: it cannot be read, or holds a key or value that makes no sense.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a training: {error}") from error
    kinds = {
        "data": DataConfig,
        "mix": MixConfig,
        "augment": AugmentConfig,
        "training": TrainingConfig,
        "teach": TeachConfig,
    }
    unknown = sorted(set(tables) - {*kinds, "network"})
    if unknown:
        raise ConfigError(f"{path}: there is no table [{unknown[0]}]; the tables are: network, {', '.join(kinds)}")
    parts: dict[str, Any] = {
        key: _table(kind, tables.get(key, {}), f"{path}: [{key}]") for key, kind in kinds.items()
    }
    network = {"kind": "causal", **tables.get("network", {})}
    return TrainConfig(name=path.stem, folder=path.parent, home=path.parent, network=network, **parts)


def _table(kind: type[Table], values: dict[str, Any], where: str) -> Table:
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type] # all are dataclasses
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(f"{where} has no key {key!r}; it has: {', '.join(fields)}")
        default = fields[key].default
        if not _fits(value, default):
            raise ConfigError(f"{where} {key} must be like {default!r}, not {value!r}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _fits(value: Any, default: Any) -> bool:  # noqa: ANN401 - whatever the file holds
    if isinstance(default, tuple):
        return isinstance(value, list)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, float):
        return number and value >= 0
    if isinstance(default, int):
        return number and isinstance(value, int) and value >= 0
    return isinstance(value, type(default))
