"""Published checkpoints as separators: weights and a YAML config, in windows live, and without seams for files.

The architectures are those of ``pymss-core`` (MIT; numpy, PyYAML and torch are all it needs): BS-RoFormer, Mel-Band
RoFormer, SCNet and MDX23C. Nothing is downloaded, and no pickle is run: weights are read as tensors only.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.separators.checkpoints.config import CheckpointConfig, import_pymss_core, read_checkpoint_config
from stream_sep.separators.overlap_add import OverlapAddSeparator
from stream_sep.separators.rates import at_rate
from stream_sep.separators.torch_device import prepare_torch
from stream_sep.separators.weight_file import WeightStats, count_weights
from stream_sep.separators.windowed import WindowedSeparator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.protocols import Block, Separator, Stems


class CheckpointWindows:
    """A published network as a `WindowModel`.

    Args:
        network: a torch module that maps ``(batch, 2, frames)`` to ``(batch, outputs, 2, frames)``.
        config: its stems, rate and window.
        device: where torch computes.
    """

    channels = 2

    def __init__(self, network: Any, config: CheckpointConfig, device: str = "cpu") -> None:  # noqa: ANN401 - a torch module
        self._network, self._config, self._device = network.to(device).eval(), config, device
        self.stems, self.sample_rate = config.stems, config.sample_rate

    def __call__(self, window: Block) -> Stems:
        """Return the stems of a window, ``(stems, 2, frames)``; NaN and infinite samples count as silence."""
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        finite = np.nan_to_num(window, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as that SCNet has no window, by design
            made = self._network(torch.from_numpy(finite)[None].to(self._device))[0].float().cpu().numpy()
        made = made.reshape(-1, 2, made.shape[-1])[..., : window.shape[1]]
        stems = np.zeros((len(self.stems), *window.shape), np.float32)
        stems[: len(made), :, : made.shape[-1]] = made
        if len(made) < len(stems):  # the residual of a network with one stem less
            stems[-1] = finite - stems[:-1].sum(axis=0)
        return stems


class CheckpointSeparator(WindowedSeparator):
    """Runs a published network once per hop over a window that ends at the newest frame; a `Separator`.

    Args:
        windows: the network.
        config: its window.
        weights: how many weights it has.
        hop: frames per step.
        lookahead: frames of the future behind the kept part.

    Raises:
        ConfigError: hop and look-ahead do not fit in the window.
    """

    def __init__(
        self, windows: CheckpointWindows, config: CheckpointConfig, weights: WeightStats, *, hop: int, lookahead: int
    ) -> None:
        fade = min(config.sample_rate // 100, max(hop, 1))
        context = config.window - hop - lookahead - fade
        if context < 0:
            raise ConfigError(
                f"a window of {config.window} frames cannot hold a hop of {hop} and a look-ahead of {lookahead}; "
                "make hop_ms or lookahead_ms smaller"
            )
        super().__init__(windows, context=context, hop=hop, lookahead=lookahead, fade=fade)
        self._windows, self._size, self.weights = windows, config.window, weights

    def for_files(self) -> Separator:
        """Return the same network for files: its own windows, which overlap by half, with no seam."""
        return OverlapAddSeparator(self._windows, self._size)


def load_checkpoint(
    *,
    sample_rate: int = 44100,
    weights: str | Path | None = None,
    config: str | Path | None = None,
    device: str = "cpu",
    threads: int = 0,
    hop_ms: float | None = None,
    lookahead_ms: float | None = None,
) -> Separator:
    """Load a published checkpoint.

    Args:
        sample_rate: frames per second of the stream; others than the network's are resampled.
        weights: the file of weights: ``.ckpt``, ``.pth``, ``.pt``, ``.th`` or ``.safetensors``.
        config: its YAML file; one of the same name beside it unless given.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest that is here.
        threads: CPU threads, of the whole process; torch's own choice if 0.
        hop_ms: live: how often it runs; a second, or a quarter of a short window, unless given.
        lookahead_ms: live: future that each window shows; half as much unless given.

    Raises:
        SeparatorError: a file is missing or damaged, holds another network, or pymss-core is not installed.
        ConfigError: an invalid value.
    """
    if weights is None:
        raise SeparatorError(
            "a checkpoint needs its file: --model FILE.ckpt, with FILE.yaml beside it or --option config="
        )
    path = Path(weights)
    described = read_checkpoint_config(Path(config) if config else path.with_suffix(".yaml"), path)
    device = prepare_torch(device, threads or None)
    network = _build(described)
    _fill(network, path)
    windows = CheckpointWindows(network, described, device)
    loaded = WeightStats(count_weights(network), path.stat().st_size)
    rate = described.sample_rate
    hop = min(rate, described.window // 4) if hop_ms is None else round(hop_ms * rate / 1000)
    lookahead = min(rate, described.window // 4) // 2 if lookahead_ms is None else round(lookahead_ms * rate / 1000)
    return at_rate(
        lambda _rate: CheckpointSeparator(windows, described, loaded, hop=hop, lookahead=lookahead),
        sample_rate,
        (rate,),
        name=path.name,
    )


def _build(config: CheckpointConfig) -> Any:  # noqa: ANN401 - a torch module
    library = import_pymss_core()
    try:
        return library.get_model_from_config(config.architecture, str(config.path))[0]
    except Exception as error:  # the library fails in any way for a config that it cannot build
        raise SeparatorError(
            f"{config.path} describes no {config.architecture} that can be built: {error}"
        ) from error


def _fill(network: Any, path: Path) -> None:  # noqa: ANN401 - as above
    tensors = read_tensors(path)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        why = " ".join(str(error).split())[:300]
        raise SeparatorError(f"the weights in {path} do not fit their config: {why}") from error


def read_tensors(path: Path) -> Mapping[str, Any]:
    """Return the tensors of a checkpoint by name; nothing in it is run.

    Raises:
        SeparatorError: the file is missing, damaged, or holds more than tensors.
    """
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    if not path.is_file():
        raise SeparatorError(f"weights file not found: {path}; download it, with its config")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # noqa: PLC0415 - as torch

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of torch, pickle and safetensors, which have no common class
        why = " ".join(str(error).split())[:200]
        raise SeparatorError(f"{path} is not a checkpoint of tensors alone: {why}; download it again") from error
    for key in ("state", "state_dict", "model_state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(each, torch.Tensor) for each in found.values()):
        raise SeparatorError(f"{path} does not contain a state dict of tensors; name the weights file")
    return found
