"""What the process that renders songs does: loads the live separator, and keeps the rings full as it is ordered."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stream_sep.audio.rings import SharedRings
from stream_sep.engine.worker.process_main import change_chains, load_or_refuse, start_server
from stream_sep.lowlevel.thread_priority import go_first
from stream_sep.player.commands import Orders
from stream_sep.player.playhead_map import SharedBoard
from stream_sep.player.render_ahead import Feeder
from stream_sep.player.render_worker import info_of, load_effects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.engine.worker.hop_worker import SeparatorInfo
    from stream_sep.engine.worker.rpc import RpcServer
    from stream_sep.player.effects import Effects
    from stream_sep.protocols import Separator


def main() -> None:
    """Be the process: load, say so, render until standard input ends."""
    server = start_server()
    spec, effects = server.receive(), None

    def measure(separator: Separator) -> SeparatorInfo:
        nonlocal effects
        info = info_of(separator)
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
    feeder = _begin(separator, effects, task, server)
    threading.Thread(target=_handle_commands, args=(feeder, effects, server), daemon=True).start()
    go_first()  # in bursts, which what it keeps ready covers: they must not stop all else
    feeder.run(threading.Event())


def _begin(separator: Separator, effects: Effects | None, task: Mapping[str, Any], server: RpcServer) -> Feeder:
    rings, board = SharedRings.attach(task["rings"]), SharedBoard.attach(task["board"])
    feeder = Feeder(separator, rings, board, server.report, block=task["block"], effects=effects)
    orders = Orders.parse(task["orders"])
    if task["join"]:
        feeder.join(orders)
    else:
        feeder.order(orders)
        for _ in range(_FIRST_STEPS):
            feeder.step()
    server.reply(task, {"running": True})
    return feeder


_FIRST_STEPS = 16  # the first of them follows the orders: so much sound lies ready before the device is opened


def _handle_commands(feeder: Feeder, effects: Effects | None, server: RpcServer) -> None:
    while "closed" not in (message := server.receive()):
        if "chains" in message and effects is not None:
            change_chains(effects.chained, message, server)
            feeder.refresh()
        elif "orders" in message:
            feeder.order(Orders.parse(message["orders"]))
        elif "supply" in message:
            feeder.supply(Orders.parse(message["supply"]))
    os._exit(0)
