"""The main program of a separator's process: loads it, processes hops, and changes its effects on request."""

from __future__ import annotations

import gc
import os
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stream_sep.audio.shared_rings import SharedRings
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import require_effects, restore_chains, with_chains
from stream_sep.engine.worker.hop_worker import HopWorker
from stream_sep.engine.worker.rpc import RpcServer, error_reply
from stream_sep.engine.worker.separator_info import warm_up
from stream_sep.errors import SeparatorError, StreamSepError
from stream_sep.lowlevel.thread_priority import raise_worker_priority
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.engine.worker.separator_info import SeparatorInfo
    from stream_sep.protocols import Separator

_SWITCH_SECONDS = 0.0005  # by default, a hop waits ten times as long for a thread that loads effects


def main() -> None:
    """Run the separator's process: load it, reply, process hops until standard input ends."""
    server = start_server()
    loaded = load_or_refuse(server.receive(), server, warm_up)
    if loaded is None:
        return
    separator, info = loaded
    task = server.receive()
    while "rings" not in task:
        if "chains" not in task:
            return
        change_chains(separator, task, server)
        task = server.receive()
    rings = SharedRings.attach(task["rings"])
    threading.Thread(target=_handle_commands, args=(separator, server), daemon=True).start()
    raise_worker_priority(busy=info.busy_share)
    gc.collect()
    gc.freeze()  # a collection that walks the model's objects would cost milliseconds
    worker = HopWorker(separator, rings, join=task["join"])
    server.reply(task, {"running": True})
    worker.run(threading.Event())


def start_server() -> RpcServer:
    """Return the child's side of the pipes, with a short switch interval, so that hops get the GIL soon."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    return RpcServer()


def load_or_refuse(
    spec: Mapping[str, Any], server: RpcServer, measure: Callable[[Separator], SeparatorInfo]
) -> tuple[Separator, SeparatorInfo] | None:
    """Load the separator of the first message, reply with its properties and return it; or reply with an error.

    Args:
        spec: the first message.
        server: sends the reply.
        measure: describes the loaded separator.
    """
    if "name" not in spec:
        return None
    sys.path[:] = spec["path"]
    loaded = server.send_signs_of_life()
    try:
        separator = _load(spec, server)
        info = measure(separator)
    except StreamSepError as error:
        server.reply(spec, error_reply(error))
        return None
    except Exception as error:  # noqa: BLE001 - a model can fail in any way; the user gets a message
        message = f"separator {spec['name']!r} failed to load: {type(error).__name__}: {error}"
        server.reply(spec, {"error": message})
        return None
    finally:
        loaded.set()
    server.reply(spec, {"ready": asdict(info)})
    return separator, info


def _load(spec: Mapping[str, Any], server: RpcServer) -> Separator:
    try:
        separator = load_separator(spec["name"], spec["sample_rate"], **spec["options"])
    except StreamSepError as error:
        raise SeparatorError(str(error)) from error
    if spec["chains"] is None:
        return separator
    if not spec["again"]:
        return with_chains(separator, spec["chains"], spec["reserve"], server.report)
    return restore_chains(separator, ChainSpec.parse(spec["chains"]), spec["reserve"], server.report)


def _handle_commands(separator: Separator, server: RpcServer) -> None:
    while "chains" in (message := server.receive()):
        change_chains(separator, message, server)
    os._exit(0)


def change_chains(separator: Separator, message: Mapping[str, Any], server: RpcServer) -> None:
    """Set the effects that a message requests, and reply with the result.

    Args:
        separator: the separator.
        message: the request.
        server: sends the reply.
    """
    try:
        chains = require_effects(separator)
        chains.set_chains(message["chains"])
        for stem in chains.stems:
            chains.set_bypass(stem, bypassed=stem in message["bypassed"])
    except StreamSepError as error:
        server.reply(message, error_reply(error))
    except Exception as error:  # noqa: BLE001 - a plugin can fail in any way; the hops continue
        server.reply(message, {"error": f"the chains cannot be changed: {type(error).__name__}: {error}"})
    else:
        server.reply(message, {"done": True})
