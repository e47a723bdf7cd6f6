"""The configuration of a training: one TOML file with everything that decides its result except the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.bundled import bundled, bundled_weights
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.training.augmentation import AugmentConfig
from stream_sep.training.data.remix import MixConfig
from stream_sep.training.schedule import check_schedule

PRECISIONS = ("float32", "tf32", "bfloat16", "auto")


@dataclass(frozen=True)
class DataConfig:
    """The training data.

    Attributes:
        caches: folders that ``stream-sep data build`` made, relative to the config file's.
        weights: relative frequency of a song of each cache; 1 by default.
        validation_caches: the caches whose held-out songs are used for validation; all by default.
        validation_percent: percentage of the artists that are held out of training.
    """

    caches: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    validation_caches: tuple[str, ...] = ()
    validation_percent: int = 16


@dataclass(frozen=True)
class TeachConfig:
    """Trained networks whose stems are a second target, besides the true stems.

    Attributes:
        teachers: files of their weights, relative to the config file's folder or the current one; ``live``,
            ``near`` or ``instant`` for those that ship.
        distillation_weight: share of the loss against the mean of their stems.
        suppress_bleed: whether a stem that is silent in a mix has silence as its second target too, in place of
            what the teachers output for it.
    """

    teachers: tuple[str, ...] = ()
    distillation_weight: float = 0.5
    suppress_bleed: bool = False


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: total number of steps; 0 if ``minutes`` is the limit.
        minutes: total time over all runs; 0 if ``steps`` is the limit.
        batch: mixes per step.
        seconds: length of a mix.
        burn_in_seconds: start of each mix that the loss ignores, while the state is still empty.
        carry_state_probability: share of the batches that start with the final state of the batch before, whose
            songs were others, as in a stream that plays for hours.
        learning_rate: peak learning rate of AdamW.
        schedule: one of `SCHEDULES`: the learning rate over time.
        warmup: share of the training in which the learning rate rises, in ``cosine``.
        warmup_steps: steps in which it rises, in ``warmup-poly``.
        decay_steps: steps in which it then decays, in ``warmup-poly``.
        decay_power: power of that decay; 1 is linear.
        weight_decay: weight decay of AdamW.
        grad_clip_norm: largest norm of a gradient; a larger one is scaled down.
        ema: decay of the moving average of the weights; the average is saved.
        loss: one of `LOSSES`.
        spectral: weight of the spectral part of the loss.
        precision: ``float32``, ``tf32``, or ``bfloat16`` where the device has it; ``auto`` is bfloat16 on CPUs
            that are faster with it, and tf32 elsewhere.
        seed: seed of all random numbers.
        validate_every: steps between two validations.
        checkpoint_seconds: time between two checkpoints.
        threads: CPU threads; 0 is torch's default.
        inference_hop: hop at inference in frames, if it is shorter than the network's own: the training then uses
            the window, prior and output delay of that hop; 0 for the network's own.
        dropout: share of the activations of a causal network that are dropped at random, independently in each hop.
        input_dropout: share of the input features of each band that are dropped, the same ones for a whole mix.
        init_weights: file of initial weights, named as a teacher is; random weights by default.
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
    """The whole configuration of a training.

    Attributes:
        name: the config file's name, without its suffix.
        folder: folder that paths of caches are relative to.
        network: table with the network's ``kind`` and sizes.
        data: the caches.
        mix: how mixes are assembled.
        augment: augmentation of stems and mixes.
        training: steps, optimizer, schedule.
        teach: the teachers.
        groups: the stems to separate into.
        home: folder that paths of weights are relative to: that of the config file.
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
        """Check the values."""
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
        """Weight files of the teachers."""
        return [self._weights_file(name) for name in self.teach.teachers]

    @property
    def init_weights(self) -> Path | None:
        """File of the initial weights; None for random ones."""
        return self._weights_file(self.training.init_weights) if self.training.init_weights else None

    def to_dict(self) -> dict[str, Any]:
        """Return all but the name and the folders, in JSON values."""
        tables = ("data", "mix", "augment", "training", "teach")
        values = {name: dataclasses.asdict(getattr(self, name)) for name in tables}
        return {"network": self.network, "groups": self.groups.to_dict(), **values}

    def _weights_file(self, name: str) -> Path:
        """Return that of a bundled model, of the config file's folder, or of the current one, as ``out`` is."""
        if name in bundled():
            return bundled_weights(name)
        beside, here = self.home / name, Path(name)
        return here if here.exists() and not beside.exists() else beside
