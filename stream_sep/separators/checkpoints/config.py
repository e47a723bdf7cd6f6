"""The YAML config of a published checkpoint: which architecture, which stems, which windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_sep.errors import SeparatorError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from pathlib import Path

ARCHITECTURES = ("bs_roformer", "mel_band_roformer", "scnet", "mdx23c")
"""The supported architectures; others in pymss-core are refused, as they are not tested."""

_DEFAULT_WINDOW = 8 * 44100


@dataclass(frozen=True)
class CheckpointConfig:
    """The parts of a checkpoint's config that a separator uses.

    Attributes:
        path: the YAML file.
        architecture: one of `ARCHITECTURES`.
        stems: names of the outputs; the last is the residual where the network outputs one stem less.
        sample_rate: frames per second.
        window: frames of a window, an even number.
    """

    path: Path
    architecture: str
    stems: tuple[str, ...]
    sample_rate: int
    window: int


def read_checkpoint_config(path: Path, weights: Path) -> CheckpointConfig:
    """Read a config, of plain values and tuples only.

    Args:
        path: the YAML file.
        weights: the weights that it belongs to, for the error message if it is missing.

    Raises:
        SeparatorError: it is missing, cannot be read, or its architecture is not supported.
    """
    table = _read_yaml(path, weights)
    architecture = _architecture_of(table, path)
    training, audio = _table(table, "training"), _table(table, "audio")
    target, instruments = training.get("target_instrument"), training.get("instruments")
    if not isinstance(instruments, (list, tuple)) or not instruments:
        raise SeparatorError(f"{path} names no instruments under training; name the config of these weights")
    names = [str(name).lower() for name in instruments]
    if len({*names}) < len(names):
        raise SeparatorError(
            f"{path} names an instrument twice: {', '.join(names)}; name the config of these weights"
        )
    if isinstance(target, str) and target:
        names = _with_rest(target.lower(), [name for name in names if name != target.lower()])
    elif len(names) == 1:
        names = _with_rest(names[0], [])
    window = audio.get("chunk_size", _DEFAULT_WINDOW)
    rate = audio.get("sample_rate", 44100)
    if type(window) is not int or type(rate) is not int or window < 2 or rate < 8000:
        raise SeparatorError(f"{path}: invalid chunk_size {window!r} at {rate!r} Hz")
    return CheckpointConfig(path, architecture, tuple(names), rate, window // 2 * 2)


def _with_rest(target: str, others: Sequence[str]) -> list[str]:
    """Return the names of a single output and of what it leaves of the mix.

    >>> _with_rest("vocals", ["drums", "other"]), _with_rest("other", ["vocals", "drums", "bass"])
    (['vocals', 'other'], ['other', 'no_other'])
    """
    rest = "no_other" if target == "other" else "other"
    return [target, others[0] if len(others) == 1 else rest]


def import_pymss_core() -> Any:  # noqa: ANN401 - an optional module
    """Return the module ``pymss_core``, which builds the networks.

    Raises:
        SeparatorError: it is not installed.
    """
    try:
        import pymss_core  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(
            f"published checkpoints need pymss-core ({error}); {install_hint('checkpoints')}"
        ) from error
    return pymss_core


def _architecture_of(table: Mapping[str, Any], path: Path) -> str:
    library = import_pymss_core()
    try:
        found = str(library.detect_model_type(table))
    except library.ModelTypeDetectionError as error:
        raise SeparatorError(f"{path} is not of a known architecture: {error}") from error
    if found not in ARCHITECTURES:
        raise SeparatorError(f"{path} describes a {found}; played are: {', '.join(ARCHITECTURES)}")
    return found


def _read_yaml(path: Path, weights: Path) -> Mapping[str, Any]:
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"published checkpoints need PyYAML ({error}); {install_hint('checkpoints')}") from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc] # it has no types
        """Plain values, and tuples, which configs of these networks hold."""

    Loader.add_constructor(
        "tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node))
    )
    try:
        with path.open(encoding="utf-8") as file:
            table = yaml.load(file, Loader=Loader)  # noqa: S506 - a safe loader, but for tuples
    except FileNotFoundError as error:
        raise SeparatorError(
            f"{weights} needs its config, and there is no {path}; put it there or use --option config=FILE.yaml. "
            "Checkpoints of vocal-remover and of the frame transformer of 2022 have none: 'stream-sep models import'"
        ) from error
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise SeparatorError(f"{path} cannot be read as a config: {' '.join(str(error).split())}") from error
    if not isinstance(table, Mapping):
        raise SeparatorError(f"{path} is not a config; its root must be a table")
    return table


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name, {})
    return found if isinstance(found, Mapping) else {}
