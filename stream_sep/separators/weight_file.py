"""Files of weights of any kind of network: their metadata and tensors, without code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.causal.weights import WeightStats, count_weights, dequantized, read_metadata
from stream_sep.separators.source_groups import FOUR, SourceGroups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class WeightFile:
    """A ``.safetensors`` file that was read and whose checksum is right.

    Attributes:
        path: where it lies.
        format: what wrote it, such as ``stream_sep unet 1``.
        sizes: the table from which its network is built.
        groups: what it separates into.
        metadata: all that is written in it.
        data: the whole file.
    """

    path: Path
    format: str
    sizes: Mapping[str, Any]
    groups: SourceGroups
    metadata: Mapping[str, str]
    data: bytes

    def fill(self, module: Any) -> WeightStats:  # noqa: ANN401 - torch is heavy, and only here when a model is
        """Load the tensors into a torch module, and return how many they are.

        Raises:
            SeparatorError: they do not fit; the sentence names the first that does not.
        """
        from safetensors import SafetensorError  # noqa: PLC0415 - heavy, and only here when a model is
        from safetensors.torch import load  # noqa: PLC0415 - as above

        try:
            module.load_state_dict(dequantized(load(self.data)))
        except (SafetensorError, RuntimeError, ValueError) as error:
            sentence = " ".join(str(error).split())
            raise SeparatorError(
                f"the weights in {self.path} do not fit its sizes ({sentence}); copy it again"
            ) from error
        module.eval()
        return WeightStats(count_weights(module), len(self.data))


def read_weight_file(path: Path, expected: str = "") -> WeightFile:
    """Read a file of weights.

    Args:
        path: a ``.safetensors`` file that a training or an import wrote.
        expected: the format that it must have; any unless given.

    Raises:
        SeparatorError: it is missing, damaged, of another format, or torch is not installed.
    """
    metadata, data = read_metadata(path)
    found = metadata.get("kind", "")
    if expected and found != expected:
        raise SeparatorError(
            f"{path} holds {found!r}, not {expected!r}; name another file, or the model that reads it"
        )
    try:
        import safetensors  # noqa: F401, PLC0415 - heavy, and only here when a model is
        import torch  # noqa: F401, PLC0415 - as above
    except ImportError as error:
        raise SeparatorError(
            f"{path} needs torch and safetensors to be read ({error}); {install_hint('train')}"
        ) from error
    try:
        sizes = json.loads(metadata["size"])
        groups = SourceGroups.from_table(json.loads(metadata["groups"])) if "groups" in metadata else FOUR
    except (KeyError, ValueError, AttributeError, ConfigError) as error:
        raise SeparatorError(
            f"the metadata of {path} describe no network ({error}); train or copy it again"
        ) from error
    return WeightFile(path, found, sizes, groups, metadata, data)


def weights_needed(model: str, preset: str) -> SeparatorError:
    """Return the error of a model for which no weights were named.

    Args:
        model: its name.
        preset: the training preset that makes some.
    """
    return SeparatorError(
        f"no weights ship with {model!r}; train some with 'stream-sep train {preset}', and "
        "name the file with --option weights=FILE or as --model FILE.safetensors"
    )
