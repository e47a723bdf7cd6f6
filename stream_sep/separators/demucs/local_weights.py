"""Demucs's lists of models and weights, and which weights are on this machine, without an import of torch."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

_HUB_NAMESPACE = "adefossez"


def model_lists() -> dict[str, Path]:
    """Return Demucs's file with the networks of each of its models; none if it is not installed."""
    folder = _lists_folder()
    return {} if folder is None else {path.stem: path for path in folder.glob("*.yaml")}


def weight_files() -> list[str]:
    """Return the files with the weights of all networks of Demucs; none if it is not installed."""
    folder = _lists_folder()
    lines = [] if folder is None else (folder / "files.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip().endswith(".th")]


def signature_of(path: Path) -> str:
    """Return the signature of a network from its file, or the name of a model from its list.

    >>> signature_of(Path("955717e8-8726e21a.th")), signature_of(Path("htdemucs.yaml"))
    ('955717e8', 'htdemucs')
    """
    return path.stem.split("-", 1)[0] if path.suffix == ".th" else path.stem


def has_local_weights(name: str) -> bool:
    """Return whether Demucs is installed and all weights of one of its models have been downloaded.

    Args:
        name: the model, such as ``htdemucs``.
    """
    bag = model_lists().get(name)
    signatures = [] if bag is None else _signatures(bag)
    return bool(signatures) and (_in_hub_cache(name, signatures) or _in_torch_cache(signatures))


def _lists_folder() -> Path | None:
    spec = importlib.util.find_spec("demucs")
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / "remote" if places else None


def _signatures(bag: Path) -> list[str]:
    try:
        import yaml  # noqa: PLC0415 - comes with Demucs
    except ImportError:
        return []
    return [str(signature) for signature in yaml.safe_load(bag.read_text(encoding="utf-8"))["models"]]


def _in_hub_cache(name: str, signatures: list[str]) -> bool:
    try:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - comes with Demucs
    except ImportError:
        return False
    repository = f"{_HUB_NAMESPACE}/{_hub_name(name)}"
    files = [f"{name}.yaml", *(f"{signature}.safetensors" for signature in signatures)]
    return all(isinstance(try_to_load_from_cache(repository, file), str) for file in files)


def _hub_name(name: str) -> str:
    """Return the name of a model's repository on the hub.

    >>> _hub_name("htdemucs"), _hub_name("htdemucs_ft"), _hub_name("mdx_q")
    ('HTDemucs', 'HTDemucs-ft', 'Demucs-mdx_q')
    """
    if name == "htdemucs":
        return "HTDemucs"
    return f"HTDemucs-{name.removeprefix('htdemucs_')}" if name.startswith("htdemucs_") else f"Demucs-{name}"


def _in_torch_cache(signatures: list[str]) -> bool:
    files = [Path(file).name for file in weight_files() if signature_of(Path(file)) in signatures]
    folder = _torch_folder() / "hub" / "checkpoints"
    return len(files) == len(signatures) and all((folder / name).is_file() for name in files)


def _torch_folder() -> Path:
    """Return where torch keeps downloads; as `torch.hub` documents it."""
    named = os.environ.get("TORCH_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "torch"
