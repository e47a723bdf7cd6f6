"""Effects from files, in a process of their own.

To load one takes Python away from everybody else for tens of milliseconds, wants the main thread, and may crash; here
none of this is heard. Messages are a letter, a length and that many bytes, over standard input and output.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from stream_sep import errors
from stream_sep.effects.aligned_chain import ChainError
from stream_sep.effects.catalog import Knob
from stream_sep.effects.latency_probe import Lateness, measure
from stream_sep.effects.pedalboard_chain import Board
from stream_sep.effects.spec import EffectSpec
from stream_sep.lowlevel.thread_priority import go_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.catalog import Setting
    from stream_sep.protocols import Block

_HEAD = struct.Struct("<cI")
_SOUND, _WORDS = b"S", b"J"
_LOAD_SECONDS = 30.0
_HOP_SECONDS = 0.5
_WATCH_SECONDS = 0.05


class HostedChain:
    """Effects that run in a process of their own; a `Chain`.

    Args:
        effects: what to load.
        sample_rate: frames per second.
        channels: channels of the stem.
        hop: frames of a hop.

    Raises:
        SeparatorError: an effect cannot be loaded, crashes, or takes longer than 30 s.
        ConfigError: a parameter that is not there, or a value it does not take.
    """

    def __init__(self, effects: Sequence[EffectSpec], sample_rate: int, channels: int, hop: int) -> None:
        self._channels = channels
        self._closed, self._hung = threading.Event(), False
        self._patience, self._busy_since = _LOAD_SECONDS, time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from stream_sep.effects.plugin_process import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # plugins talk to themselves; what matters comes as a message
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
        threading.Thread(target=self._watch, name="effects watch", daemon=True).start()
        try:
            self._load(
                {
                    "effects": [effect.plain() for effect in effects],
                    "sizes": [sample_rate, channels, hop],
                }
            )
        except BaseException:
            self.close()
            raise
        self._patience = max(_HOP_SECONDS, 4 * hop / sample_rate)

    @property
    def pid(self) -> int:
        """Process id of the effects."""
        return self._process.pid

    def submit(self, block: Block) -> None:
        """Send the next hop; as in `Chain`."""
        self._busy_since = time.monotonic()
        self._send(_SOUND, np.ascontiguousarray(block, np.float32).tobytes())

    def collect(self) -> Block:
        """Receive what came out; as in `Chain`."""
        kind, body = _read(self._process.stdout)
        self._busy_since = 0.0
        if kind == _SOUND:
            return np.frombuffer(body, np.float32).reshape(self._channels, -1)
        raise ChainError(json.loads(body)["failed"] if kind == _WORDS else self._end())

    def move(self, effect: int, name: str, value: Setting) -> None:
        """Set a parameter; as in `Chain`."""
        self._say({"move": [effect, name, value]})

    def reset(self) -> None:
        """Forget what was heard."""
        self._say({"reset": True})

    def close(self) -> None:
        """Have the process ended by the watch."""
        self._closed.set()

    def _load(self, message: Mapping[str, Any]) -> None:
        self._say(message)
        kind, body = _read(self._process.stdout)
        self._busy_since = 0.0
        names = ", ".join(repr(effect["plugin"]) for effect in message["effects"])
        if kind != _WORDS:
            raise errors.SeparatorError(f"effects {names} cannot be loaded: the chain {self._end()}")
        answer = json.loads(body)
        if "error" in answer:
            raise getattr(errors, answer["kind"])(answer["error"])
        self.lateness = Lateness(*answer["lateness"])
        self.knobs: tuple[Mapping[str, Knob], ...] = tuple(
            {name: Knob(**{**knob, "words": tuple(knob["words"])}) for name, knob in knobs.items()}
            for knobs in answer["knobs"]
        )

    def _say(self, message: Mapping[str, Any]) -> None:
        self._send(_WORDS, json.dumps(message).encode())

    def _send(self, kind: bytes, body: bytes) -> None:
        with suppress(OSError, ValueError):  # `collect` finds out
            _write(self._process.stdin, kind, body)

    def _watch(self) -> None:
        while not self._closed.wait(_WATCH_SECONDS):
            since = self._busy_since
            if since and time.monotonic() - since > self._patience:
                self._hung = True
                break
        self._process.kill()
        self._process.wait()
        self._closed.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _end(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        if self._hung:
            return f"gave no answer in {self._patience:g} s"
        return f"crashed with code {self._process.returncode}"


def main() -> None:
    """Be the process of a chain: load it, then play it until standard input ends."""
    given, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a plugin prints must not mix with the answers
    task = json.loads(_read(given)[1])
    try:
        board, answer = _build([EffectSpec.parse(effect) for effect in task["effects"]], *task["sizes"])
    except Exception as error:  # noqa: BLE001 - a plugin can fail in any way; the user gets one sentence
        kind = type(error).__name__ if isinstance(error, errors.StreamSepError) else "SeparatorError"
        _write(answers, _WORDS, json.dumps({"error": str(error), "kind": kind}).encode())
        return
    go_first()  # as the separator, whose hops wait for it; and only now: to load is never urgent
    gc.collect()
    gc.freeze()
    _write(answers, _WORDS, json.dumps(answer).encode())
    _play(board, task["sizes"][1], given, answers)
    os._exit(0)  # some plugins crash when they are taken down in good order


def _build(effects: Sequence[EffectSpec], *sizes: int) -> tuple[Board, dict[str, Any]]:
    lateness = measure(Board(effects, *sizes), *sizes)
    board = Board(effects, *sizes)
    knobs = [{name: vars(knob) for name, knob in effect.knobs.items()} for effect in board.effects]
    return board, {"lateness": [lateness.shortfall, lateness.delay], "knobs": knobs}


def _play(board: Board, channels: int, given: BinaryIO, answers: BinaryIO) -> None:
    while True:
        kind, body = _read(given)
        if not kind:
            return
        try:
            if kind == _SOUND:
                sound = np.frombuffer(body, np.float32).reshape(channels, -1)
                _write(answers, _SOUND, np.ascontiguousarray(board.process(sound), np.float32).tobytes())
            else:
                _obey(board, json.loads(body))
        except Exception as error:  # noqa: BLE001 - as above
            _write(answers, _WORDS, json.dumps({"failed": f"failed: {error}"}).encode())
            return


def _obey(board: Board, message: Mapping[str, Any]) -> None:
    if "reset" in message:
        board.reset()
    else:
        place, name, value = message["move"]
        board.effects[place].move(name, value)


def _write(pipe: BinaryIO | Any, kind: bytes, body: bytes) -> None:  # noqa: ANN401 - None for mypy's sake
    pipe.write(_HEAD.pack(kind, len(body)) + body)
    pipe.flush()


def _read(pipe: BinaryIO | Any) -> tuple[bytes, bytes]:  # noqa: ANN401 - as above
    """Return the next message, or two times nothing where there is none any more."""
    try:
        head = pipe.read(_HEAD.size)
        if len(head) == _HEAD.size:
            kind, length = _HEAD.unpack(head)
            body = pipe.read(length)
            if len(body) == length:
                return kind, body
    except (OSError, ValueError):
        pass
    return b"", b""
