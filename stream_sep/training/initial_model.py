"""The network of a training before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.training.kinds import build_model, load_kind, load_model

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from stream_sep.training.config import TrainConfig, TrainingConfig


def initial_model(config: TrainConfig, device: torch.device, random: torch.Generator) -> tuple[str, Any]:
    """Return the name of a network's kind and the network, with the initial weights and dropout of a config.

    Args:
        config: the training.
        device: where it is trained.
        random: source of randomness of its dropout.

    Raises:
        ConfigError: a value of the network is invalid, or it has no dropout, or the initial weights are of another.
        SeparatorError: the initial weights cannot be read.
    """
    network = dict(config.network)
    kind = str(network.pop("kind"))
    model = build_model(kind, network, config.training.inference_hop, config.groups).to(device)
    if config.init_weights is not None:
        _init_weights(kind, model, config.init_weights)
    _add_dropout(kind, model, config.training, random)
    return kind, model


def _init_weights(kind: str, model: Any, path: Path) -> None:  # noqa: ANN401 - as above
    """Initialise a network with the weights of a file.

    Raises:
        ConfigError: they belong to a network of other sizes, groups or kind.
        SeparatorError: the file cannot be used.
    """
    name, begun, _ = load_model(path, kind)
    found = load_kind(kind)
    if name != kind or found.describe(begun) != found.describe(model) or tuple(begun.stems) != tuple(model.stems):
        raise ConfigError(
            f"{path} holds a {name} network of {load_kind(name).describe(begun)}; the network of the config is "
            "another, and cannot begin with it"
        )
    model.network.load_state_dict(begun.network.state_dict())


def _add_dropout(kind: str, model: Any, training: TrainingConfig, random: torch.Generator) -> None:  # noqa: ANN401 - a module of any kind
    """Add dropout of inputs and activations to a network.

    Raises:
        ConfigError: its kind has no dropout.
    """
    if not training.dropout and not training.input_dropout:
        return
    add = getattr(load_kind(kind), "add_dropout", None)
    if add is None:
        raise ConfigError(f"networks of the kind {kind!r} have no dropout and input_dropout; leave them out")
    add(model, training.dropout, training.input_dropout, random)
