"""The render process: loads the live separator and keeps the rings full."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stream_sep.audio.shared_rings import SharedRings
from stream_sep.engine.worker.process_main import change_chains, load_or_refuse, start_server
from stream_sep.lowlevel.thread_priority import raise_worker_priority
from stream_sep.player.commands import PlaybackCommand
from stream_sep.player.playhead_map import SharedPlayheadMap
from stream_sep.player.render_ahead import RenderAhead
from stream_sep.player.render_worker import load_effects, player_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.engine.worker.rpc import RpcServer
    from stream_sep.engine.worker.separator_info import SeparatorInfo
    from stream_sep.player.effects import Effects
    from stream_sep.protocols import Separator


def main() -> None:
    """Run the process: load, report ready, render until standard input ends."""
    server = start_server()
    spec, effects = server.receive(), None

    def measure(separator: Separator) -> SeparatorInfo:
        nonlocal effects
        info = player_info(separator)
        effects = load_effects(info, spec["chains"], spec["reserve"], server.report, again=spec["again"])
        return replace(info, chain_latency=0 if effects is None else effects.latency)

    loaded = load_or_refuse({**spec, "chains": None}, server, measure)
    if loaded is None:
        return
    separator, _ = loaded
    task = server.receive()
    while "rings" not in task:
        if "chains" not in task or effects is None:
            return
        change_chains(effects.chained, task, server)
        task = server.receive()
    renderer = _begin(separator, effects, task, server)
    threading.Thread(target=_handle_commands, args=(renderer, effects, server), daemon=True).start()
    raise_worker_priority()  # it works in bursts, which the prepared audio covers
    renderer.run(threading.Event())


def _begin(separator: Separator, effects: Effects | None, task: Mapping[str, Any], server: RpcServer) -> RenderAhead:
    rings, playhead_map = SharedRings.attach(task["rings"]), SharedPlayheadMap.attach(task["playhead_map"])
    renderer = RenderAhead(separator, rings, playhead_map, server.report, block=task["block"], effects=effects)
    command = PlaybackCommand.from_dict(task["command"])
    if task["join"]:
        renderer.resume(command)
    else:
        renderer.command(command)
        for _ in range(_FIRST_STEPS):
            renderer.step()
    server.reply(task, {"running": True})
    return renderer


_FIRST_STEPS = 16  # the first applies the command; so much audio is ready before the device opens


def _handle_commands(renderer: RenderAhead, effects: Effects | None, server: RpcServer) -> None:
    while "closed" not in (message := server.receive()):
        if "chains" in message and effects is not None:
            change_chains(effects.chained, message, server)
            renderer.rerender()
        elif "command" in message:
            renderer.command(PlaybackCommand.from_dict(message["command"]))
        elif "sources" in message:
            renderer.update_sources(PlaybackCommand.from_dict(message["sources"]))
    os._exit(0)
