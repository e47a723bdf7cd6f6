"""The interface of workers, and how the one of an engine is loaded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

from stream_sep.effects.controls import EffectWorker
from stream_sep.engine.config import ON_FAILURE
from stream_sep.errors import SeparatorError
from stream_sep.separators import load_separator
from stream_sep.separators.checks import check_members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.backends.base import AudioBackend
    from stream_sep.engine.config import EngineConfig
    from stream_sep.engine.worker.separator_info import SeparatorInfo
    from stream_sep.protocols import Separator


class Worker(EffectWorker, Protocol):
    """Runs the separator: `InlineWorker`, `ThreadWorker` or `ProcessWorker`, or those of the player."""

    info: SeparatorInfo
    restarts: int

    def start(self, rings: SharedRings) -> None:
        """Start writing stems to ``rings``."""
        ...

    def catch_up(self) -> None:
        """Write all stems that are due on the calling thread, if the worker has no thread."""
        ...

    def stop(self) -> None:
        """Stop the worker."""
        ...


AnyWorker = TypeVar("AnyWorker", bound=Worker)


def load_worker(
    backend: AudioBackend,
    config: EngineConfig,
    report: Callable[[str], None],
    *,
    in_process: Callable[..., AnyWorker],
    in_line: Callable[..., AnyWorker],
) -> AnyWorker:
    """Load a worker with the separator of ``config``, or with its fallback, while the audio callback is compiled.

    Args:
        backend: whose callback is compiled, and whose sample rate the separator gets.
        config: the engine's settings.
        report: callback that receives the worker's messages.
        in_process: builds a worker in its own process, as `ProcessWorker`.
        in_line: builds a worker in this process, as `InlineWorker`.

    Raises:
        SeparatorError: the separator cannot be loaded.
    """
    compiler = threading.Thread(target=backend.compile, name="compiler", daemon=True)
    compiler.start()  # in parallel with the separator, which takes as long

    def load(model: str | Separator, options: Mapping[str, Any]) -> AnyWorker:
        settings: dict[str, Any] = {
            "chains": config.chains,
            "chain_reserve": config.chain_reserve,
            "meanwhile": ON_FAILURE[config.on_failure],
        }
        if not isinstance(model, str):
            check_members(model)
            return in_line(lambda: model, report, **settings)
        if config.worker == "process":
            return in_process(model, backend.sample_rate, options, report, **settings)
        return in_line(lambda: load_separator(model, backend.sample_rate, **options), report, **settings)

    try:
        worker = _with_fallback(load, config, report)
    except Exception:
        compiler.join()  # else Python could end while it compiles; Ctrl-C waits for nothing
        raise
    compiler.join()
    return worker


def _with_fallback(
    load: Callable[[str | Separator, Mapping[str, Any]], AnyWorker],
    config: EngineConfig,
    report: Callable[[str], None],
) -> AnyWorker:
    try:
        return load(config.model, config.options)
    except SeparatorError as error:
        if config.fallback is None:
            raise
        report(f"{error}; going on with {config.fallback!r}")
        return load(config.fallback, {})
