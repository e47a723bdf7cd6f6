"""What a separator's own process does: loads it, works through the hops, and changes its effects when told to."""

from __future__ import annotations

import gc
import os
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from stream_sep.audio.rings import SharedRings
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import chained, restore_chains, with_chains
from stream_sep.engine.worker.hop_worker import HopWorker, warm_up
from stream_sep.engine.worker.rpc import receive, refusal, send
from stream_sep.errors import SeparatorError, StreamSepError
from stream_sep.lowlevel.thread_priority import go_first
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.engine.worker.hop_worker import SeparatorInfo
    from stream_sep.protocols import Separator

_SWITCH_SECONDS = 0.0005  # Python lets a hop wait ten times as long for a thread that loads effects


class Answers:
    """The child's side of the dialog: its threads may answer and report at once.

    Args:
        pipe: where to.
    """

    def __init__(self, pipe: TextIO) -> None:
        self._pipe, self._writing = pipe, threading.Lock()

    def give(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Answer ``question``."""
        with self._writing:
            send(self._pipe, {**answer, "number": question.get("number")})

    def report(self, sentence: str) -> None:
        """Tell the user something."""
        self.say({"report": sentence})

    def say(self, message: Mapping[str, Any]) -> None:
        """Say something unasked."""
        with self._writing:
            send(self._pipe, message)


def main() -> None:
    """Be the separator's process: load, say so, work until standard input ends."""
    commands, answers = sys.stdin, start_answers()
    loaded = load_or_refuse(receive(commands), answers, warm_up)
    if loaded is None:
        return
    separator, info = loaded
    task = receive(commands)
    while "rings" not in task:
        if "chains" not in task:
            return
        change_chains(separator, task, answers)
        task = receive(commands)
    rings = SharedRings.attach(task["rings"])
    threading.Thread(target=_obey, args=(separator, commands, answers), daemon=True).start()
    go_first(busy=info.hop_seconds * info.sample_rate / info.hop)
    gc.collect()
    gc.freeze()  # a collection that walks the model's objects would cost milliseconds
    worker = HopWorker(separator, rings, join=task["join"])
    answers.give(task, {"running": True})
    worker.run(threading.Event())


def start_answers() -> Answers:
    """Return the way to answer; nothing that a library prints mixes with it."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    answers = Answers(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    return answers


def load_or_refuse(
    spec: Mapping[str, Any], answers: Answers, measure: Callable[[Separator], SeparatorInfo]
) -> tuple[Separator, SeparatorInfo] | None:
    """Load the separator of a first message, and answer and return what it is like; or answer why there is none."""
    if "name" not in spec:
        return None
    sys.path[:] = spec["path"]
    try:
        separator = _load(spec, answers)
        info = measure(separator)
    except StreamSepError as error:
        answers.give(spec, refusal(error))
        return None
    except Exception as error:  # noqa: BLE001 - a model can fail in any way; the user gets one sentence
        sentence = f"separator {spec['name']!r} failed to load: {type(error).__name__}: {error}"
        answers.give(spec, {"error": sentence})
        return None
    answers.give(spec, {"ready": asdict(info)})
    return separator, info


def _load(spec: Mapping[str, Any], answers: Answers) -> Separator:
    try:
        separator = load_separator(spec["name"], spec["sample_rate"], **spec["options"])
    except StreamSepError as error:
        raise SeparatorError(str(error)) from error
    if spec["chains"] is None:
        return separator
    if not spec["again"]:
        return with_chains(separator, spec["chains"], spec["reserve"], answers.report)
    return restore_chains(separator, ChainSpec.parse(spec["chains"]), spec["reserve"], answers.report)


def _obey(separator: Separator, commands: TextIO, answers: Answers) -> None:
    while "chains" in (message := receive(commands)):
        change_chains(separator, message, answers)
    os._exit(0)


def change_chains(separator: Separator, message: Mapping[str, Any], answers: Answers) -> None:
    """Have the effects of a message, and answer how that went."""
    try:
        chains = chained(separator)
        chains.set_chains(message["chains"])
        for stem in chains.stems:
            chains.set_bypass(stem, bypassed=stem in message["bypassed"])
    except StreamSepError as error:
        answers.give(message, refusal(error))
    except Exception as error:  # noqa: BLE001 - the hops must go on whatever a plugin does
        answers.give(message, {"error": f"the chains cannot be changed: {type(error).__name__}: {error}"})
    else:
        answers.give(message, {"done": True})
