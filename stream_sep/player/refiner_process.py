"""The refiner process: loads the model and computes the windows ahead of the playhead first."""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.engine.worker.rpc import RpcServer
from stream_sep.errors import SeparatorError, StreamSepError
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_models import SongModel, load_song_model
from stream_sep.files.stem_cache import StemCache
from stream_sep.player.refiner_loop import RefinerLoop, Task, identity_of
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORBIDDEN = "downloads are disabled"
_NICE = 19  # the lowest priority


def main() -> None:
    """Run the process: load the model, report it, refine requested songs until standard input ends."""
    server = RpcServer()
    spec = server.receive()
    if "settings" not in spec:
        return
    sys.path[:] = spec["path"]
    with suppress(AttributeError, OSError):
        os.nice(_NICE)
    try:
        model = load_model(spec)
    except StreamSepError as error:
        server.send({"failed": str(error)})
        return
    except Exception as error:  # noqa: BLE001 - a model can fail in any way; the user gets a message
        server.send({"failed": f"the model {spec['settings']['model']!r} failed: {type(error).__name__}: {error}"})
        return
    server.send({"identity": identity_of(model), "rate": model.rate_for(0), "stems": list(model.stems)})
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_receive_requests, args=(server, tasks), daemon=True).start()
    RefinerLoop(model, StemCache(limit_gb=spec["cache_gb"]), server, tasks).run()


def load_model(spec: Mapping[str, Any]) -> SongModel:
    """Load the model that the first message names.

    Raises:
        SeparatorError: its weights are missing, or it has not the stems of the faders.
        ConfigError: a setting that it refuses.
    """
    if not spec["download"]:
        _forbid_downloads()
    fields = spec["settings"]
    settings = SeparationSettings(**{**fields, "repo": Path(fields["repo"]) if fields["repo"] else None})
    try:
        model = load_song_model(settings)
    except SeparatorError as error:
        if _FORBIDDEN not in str(error):
            raise
        message = (
            f"the weights of {settings.model!r} are not on this machine; "
            f"--refined-model {settings.model} downloads them"
        )
        raise SeparatorError(message) from error
    missing = [stem for stem in STEMS if stem not in model.stems]
    if missing:
        raise SeparatorError(
            f"{settings.model!r} separates into {', '.join(model.stems)}, without {', '.join(missing)}, which have "
            "faders; use another --refined-model, such as htdemucs, or --no-refine"
        )
    return model


def _forbid_downloads() -> None:
    """Disable both of Demucs's ways to download weights."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    with suppress(ImportError):
        import torch.hub  # noqa: PLC0415 - heavy, and only here when a model is

        def refuse(*_: object, **__: object) -> None:
            raise OSError(_FORBIDDEN)

        torch.hub.download_url_to_file = refuse


def _receive_requests(server: RpcServer, tasks: queue.SimpleQueue[Task]) -> None:
    while "closed" not in (message := server.receive()):
        tasks.put(Task(**message))
    os._exit(0)
