"""Read a training config from its TOML file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from stream_sep.control.presets.toml_text import parse, read_text
from stream_sep.errors import ConfigError, reason
from stream_sep.separators.source_groups import SourceGroups
from stream_sep.training.augmentation import AugmentConfig
from stream_sep.training.config import DataConfig, TeachConfig, TrainConfig, TrainingConfig
from stream_sep.training.data.remix import MixConfig

if TYPE_CHECKING:
    from pathlib import Path

Table = TypeVar("Table")

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


def read_config(path: Path) -> TrainConfig:
    """Read a training from a file.

    Raises:
        ConfigError: it cannot be read, or has an unknown key or invalid value.
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


def _fits(value: Any, default: Any) -> bool:  # noqa: ANN401 - any TOML value
    if isinstance(default, tuple):
        return isinstance(value, list)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return number and value >= 0
    if isinstance(default, int):
        return number and isinstance(value, int) and value >= 0
    return isinstance(value, type(default))
