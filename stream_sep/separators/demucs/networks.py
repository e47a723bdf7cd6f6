"""The networks of Demucs, by name: downloaded, from a folder, or of random weights; with readable errors.

Loading, cache and checksums are those of `demucs.pretrained` (https://github.com/adefossez/demucs).
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.errors import SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.demucs.local_weights import model_lists, signature_of, weight_files
from stream_sep.separators.demucs.offline import without_retries
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence


SOURCES = ["drums", "bass", "other", "vocals"]

RANDOM: dict[str, dict[str, Any]] = {
    "random-htdemucs": {"bottom_channels": 512, "dconv_mode": 3, "segment": Fraction(39, 5)},
    "tiny": {
        "channels": 8,
        "growth": 1,
        "bottom_channels": 16,
        "t_layers": 1,
        "t_heads": 2,
        "t_hidden_scale": 1.0,
        "segment": Fraction(2),
    },
}
"""Networks of seeded random weights: one as big as ``htdemucs`` (41,984,456 weights) for timing, one for tests."""


@dataclass(frozen=True)
class Part:
    """A network, and the weight of each of its sources in the result."""

    network: Any
    weights: tuple[float, ...]


def load_network(name: str, repo: str | Path | None = None) -> list[Part]:
    """Return the networks of the model called ``name``, ready to run windows of any length.

    Args:
        name: the model's name, or a weights signature.
        repo: folder with weights; Demucs's own by default.

    Raises:
        SeparatorError: Demucs is not installed, the name is unknown, or the weights are not to be had.
    """
    try:
        import demucs.apply  # noqa: PLC0415 - an extra, and heavy
    except ImportError as error:
        raise SeparatorError(
            f"the separator 'demucs' needs Demucs and torch ({error}); {install_hint('demucs')}"
        ) from error
    model = _random_network(name) if name in RANDOM else _pretrained(name, None if repo is None else Path(repo))
    if not isinstance(model, demucs.apply.BagOfModels):
        return [_part(model, [1.0] * len(model.sources))]
    totals = [sum(column) for column in zip(*model.weights, strict=True)]
    return [
        _part(network, [weight / total for weight, total in zip(weights, totals, strict=True)])
        for network, weights in zip(model.models, model.weights, strict=True)
    ]


def longest_window(parts: Sequence[Part]) -> int:
    """Return the most frames a window may have, as in the networks' training."""
    return min(int(part.network.segment * part.network.samplerate) for part in parts)


def _part(network: Any, weights: Sequence[float]) -> Part:  # noqa: ANN401 - torch modules are untyped here
    if hasattr(network, "use_train_segment"):
        # or every window would be padded with silence to 7.8 s: five times the compute, and another loudness
        network.use_train_segment = False
    return Part(network.eval(), tuple(weights))


def _random_network(name: str) -> Any:  # noqa: ANN401 - a torch module
    import torch  # noqa: PLC0415 - heavy, and only here when a model is
    from demucs.htdemucs import HTDemucs  # noqa: PLC0415 - as torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return HTDemucs(SOURCES, **RANDOM[name])


def _pretrained(name: str, repo: Path | None) -> Any:  # noqa: ANN401 - a torch module
    from demucs.pretrained import get_model  # noqa: PLC0415 - heavy, and only here when a model is

    if repo is not None and not repo.is_dir():
        raise SeparatorError(f"there is no folder {repo} to load the model {name!r} from")
    known = _known(repo)
    if name not in known and not name.startswith("hf://"):
        raise SeparatorError(_unknown(name, known, repo))
    try:
        with without_retries() if repo is None else nullcontext():
            return get_model(name, repo)
    except (Exception, SystemExit) as error:  # demucs exits the program where a package is missing
        raise SeparatorError(_not_loaded(name, repo, error)) from error


def _known(repo: Path | None) -> list[str]:
    if repo is not None:
        return sorted({signature_of(path) for path in repo.iterdir() if path.suffix in (".th", ".yaml")})
    return sorted({*model_lists(), *(signature_of(Path(file)) for file in weight_files()), *RANDOM})


def _unknown(name: str, known: Sequence[str], repo: Path | None) -> str:
    if repo is not None:
        holds = ", ".join(known) or "no model at all"
        return f"the folder {repo} holds {holds}, but not {name!r}; put there: {_files_of(name)}"
    return f"Demucs has no model {name!r}; {did_you_mean(name, known)}"


def _not_loaded(name: str, repo: Path | None, error: BaseException) -> str:
    why = str(error).strip() or type(error).__name__
    if isinstance(error, SystemExit):
        command = f"{sys.executable} -m pip install diffq"
        return f"the model {name!r} needs a package that is not installed, diffq; run: {command}, or use htdemucs"
    if repo is not None:
        return f"the model {name!r} cannot be loaded from {repo} ({why}); it needs: {_files_of(name)}"
    return (
        f"the weights of {name!r} are not on this machine and cannot be downloaded ({why}); connect once, or copy "
        f"{_files_of(name)} from a connected machine into a folder and name it with repo (--repo DIR)"
    )


def _files_of(name: str) -> str:
    bag = model_lists().get(name)
    listed = bag.read_text() if bag else name
    files = [line for line in weight_files() if signature_of(Path(line)) in listed]
    return " and ".join([*([bag.name] if bag else []), *files]) or "the model's .yaml and .th files"


def is_transformer(network: Any) -> bool:  # noqa: ANN401 - Demucs ships no types
    """Return whether a network is a Hybrid Transformer Demucs, which needs windows of one length."""
    return hasattr(network, "use_train_segment")
