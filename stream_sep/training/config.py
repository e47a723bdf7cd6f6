"""A training, written down: one TOML file holds all that decides its result but the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stream_sep.control.presets.toml_text import parse, read_text
from stream_sep.errors import ConfigError, reason
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.training.augmentation import AugmentConfig
from stream_sep.training.data.remix import MixConfig
from stream_sep.training.schedule import check_schedule

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
        distillation_weight: share of the loss that is the difference from the mean of their stems.
    """

    teachers: tuple[str, ...] = ()
    distillation_weight: float = 0.5


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: batches in all; 0 leaves it to ``minutes``.
        minutes: time in all, over all sittings; 0 leaves it to ``steps``.
        batch: mixes a step.
        seconds: length of a mix.
        burn_in_seconds: the beginning of each mix that does not count, as the memory is still empty.
        carry_state_probability: share of the batches that go on with the state after those before them, which were of
            other songs: what
            happens to a stream that plays for hours.
        learning_rate: the highest, of AdamW.
        schedule: one of `SCHEDULES`: how it rises and falls.
        warmup: share of the training in which it rises along a cosine's.
        warmup_steps: steps in which it rises in ``warmup-poly``.
        decay_steps: steps in which it then falls.
        decay_power: power of that fall; 1 is a line.
        weight_decay: of AdamW.
        grad_clip_norm: the greatest norm of a gradient.
        ema: decay of the moving average of the weights, which is what is kept.
        loss: one of `LOSSES`.
        spectral: how much spectra count in it.
        precision: ``float32``, ``tf32``, or ``bfloat16`` where the device has it; ``auto`` is the last on CPUs
            that are faster with it, and ``tf32`` elsewhere.
        seed: of all chance.
        validate_every: steps from validation to validation.
        checkpoint_seconds: time from checkpoint to checkpoint.
        threads: CPU threads; torch's own choice if 0.
        inference_hop: frames of the hops in which it will be played, where they are shorter than the network's: it is
            then
            trained with windows as short, and with answers as late, as they are on stage; 0 for its own.
        dropout: share of the numbers within a causal network that are left out at random, hop by hop.
        input_dropout: share of what each of its bands is shown that is left out for a whole mix.
        init_weights: file of weights to begin with, relative to the config file's folder; random ones unless given.
    """

    steps: int = 0
    minutes: float = 0.0
    batch: int = 8
    seconds: float = 6.0
    burn_in_seconds: float = 0.3
    carry_state_probability: float = 0.5
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.03
    warmup_steps: int = 32000
    decay_steps: int = 128000
    decay_power: float = 1.0
    weight_decay: float = 1e-2
    grad_clip_norm: float = 5.0
    ema: float = 0.999
    loss: str = "energy"
    spectral: float = 1.0
    precision: str = "tf32"
    seed: int = 1
    validate_every: int = 500
    checkpoint_seconds: float = 60.0
    threads: int = 0
    inference_hop: int = 0
    dropout: float = 0.0
    input_dropout: float = 0.0
    init_weights: str = ""


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
        groups: what to separate into.
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
    groups: SourceGroups = FOUR
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
            raise ConfigError(f"{self.name}: [training] needs steps or minutes, as the end of the training")
        if training.precision not in PRECISIONS:
            raise ConfigError(f"{self.name}: precision {training.precision!r} is none of {', '.join(PRECISIONS)}")
        if training.batch < 1 or not 0 <= training.burn_in_seconds < training.seconds:
            raise ConfigError(f"{self.name}: a batch holds at least 1 mix, and a mix is longer than it settles")
        if max(training.dropout, training.input_dropout) >= 1:
            raise ConfigError(
                f"{self.name}: dropout and input_dropout are shares of a whole, below 1: they leave nothing over"
            )
        check_schedule(training.schedule, training.decay_steps)
        if self.teach.distillation_weight > 1:
            raise ConfigError(
                f"{self.name}: [teach] distillation_weight is a share of the loss, from 0 to 1, "
                f"not {self.teach.distillation_weight}"
            )

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
        tables = parse(read_text(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a training: {reason(error)}") from error
    kinds = {
        "data": DataConfig,
        "mix": MixConfig,
        "augment": AugmentConfig,
        "training": TrainingConfig,
        "teach": TeachConfig,
    }
    unknown = sorted(set(tables) - {*kinds, "network", "groups"})
    if unknown:
        raise ConfigError(
            f"{path}: there is no table [{unknown[0]}]; the tables are: network, groups, {', '.join(kinds)}"
        )
    parts: dict[str, Any] = {
        key: _table(kind, _renamed(key, tables.get(key, {})), f"{path}: [{key}]") for key, kind in kinds.items()
    }
    groups = SourceGroups.from_table(tables.get("groups", "four"))
    network = {"kind": "causal", **tables.get("network", {})}
    return TrainConfig(name=path.stem, folder=path.parent, home=path.parent, network=network, groups=groups, **parts)


_OLD_KEYS = {
    "mix": {"heard": "active_probability", "absent": "missing_stem_probability"},
    "augment": {
        "drive": "saturation",
        "room": "reverb",
        "bus": "bus_compression",
        "dull": "lowpass",
        "side": "single_side",
    },
    "training": {
        "settle_seconds": "burn_in_seconds",
        "carry": "carry_state_probability",
        "clip": "grad_clip_norm",
        "play_hop": "inference_hop",
        "blank": "input_dropout",
        "begin": "init_weights",
    },
    "teach": {"share": "distillation_weight"},
}
"""Names that keys once had; configs that use them still work."""


def _renamed(table: str, values: dict[str, Any]) -> dict[str, Any]:
    names = _OLD_KEYS.get(table, {})
    return {names.get(key, key): value for key, value in values.items()}


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
