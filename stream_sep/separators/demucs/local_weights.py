"""Which of Demucs's weights are on this machine, without an import of torch."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

_HUB_NAMESPACE = "adefossez"


def has_local_weights(name: str) -> bool:
    """Return whether Demucs is installed and all weights of one of its models have been downloaded.

    Args:
        name: the model, such as ``htdemucs``.
    """
    spec = importlib.util.find_spec("demucs")
    if spec is None or not spec.submodule_search_locations:
        return False
    lists = Path(spec.submodule_search_locations[0]) / "remote"
    signatures = _signatures(lists / f"{name}.yaml")
    return bool(signatures) and (_in_hub_cache(name, signatures) or _in_torch_cache(lists / "files.txt", signatures))


def _signatures(bag: Path) -> list[str]:
    try:
        import yaml  # noqa: PLC0415 - comes with Demucs

        return [str(signature) for signature in yaml.safe_load(bag.read_text(encoding="utf-8"))["models"]]
    except (ImportError, OSError):
        return []


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


def _in_torch_cache(file_list: Path, signatures: list[str]) -> bool:
    lines = file_list.read_text(encoding="utf-8").splitlines()
    names = [Path(line.strip()).name for line in lines if line.strip().endswith(".th")]
    files = [name for name in names if name.split("-", 1)[0] in signatures]
    folder = _torch_folder() / "hub" / "checkpoints"
    return len(files) == len(signatures) and all((folder / name).is_file() for name in files)


def _torch_folder() -> Path:
    """Return where torch keeps downloads; as `torch.hub` documents it."""
    named = os.environ.get("TORCH_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "torch"
