"""Plug-ins from files, hosted in a process of their own.

Loading one holds the GIL for tens of milliseconds, needs the main thread, and may crash; in a process of its own
none of this reaches the audio. A message is one byte of type, a 32-bit length and a body, over standard input and
output.
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
from stream_sep.effects.catalog import ParameterSpec
from stream_sep.effects.latency_probe import ChainLatency, measure_latency
from stream_sep.effects.pedalboard_chain import PedalboardChain
from stream_sep.effects.spec import EffectSpec
from stream_sep.lowlevel.thread_priority import go_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.catalog import Setting
    from stream_sep.protocols import Block

_HEAD = struct.Struct("<cI")
_AUDIO_FRAME, _TEXT_FRAME = b"S", b"J"
_LOAD_SECONDS = 30.0
_HOP_SECONDS = 0.5
_POLL_SECONDS = 0.05


class PluginProcess:
    """A chain whose effects run in a process of their own; a `Chain`.

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
        self._timeout, self._busy_since = _LOAD_SECONDS, time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from stream_sep.effects.plugin_process import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # plugins print debug output; errors arrive as messages
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
        threading.Thread(target=self._supervise, name="effects watch", daemon=True).start()
        try:
            self._load(
                {
                    "effects": [effect.to_dict() for effect in effects],
                    "sizes": [sample_rate, channels, hop],
                }
            )
        except BaseException:
            self.close()
            raise
        self._timeout = max(_HOP_SECONDS, 4 * hop / sample_rate)

    @property
    def pid(self) -> int:
        """Process id of the effects."""
        return self._process.pid

    def submit(self, block: Block) -> None:
        """Send the next hop; as in `Chain`."""
        self._busy_since = time.monotonic()
        self._send(_AUDIO_FRAME, np.ascontiguousarray(block, np.float32).tobytes())

    def collect(self) -> Block:
        """Receive what came out; as in `Chain`."""
        kind, body = _read(self._process.stdout)
        self._busy_since = 0.0
        if kind == _AUDIO_FRAME:
            return np.frombuffer(body, np.float32).reshape(self._channels, -1)
        raise ChainError(json.loads(body)["failed"] if kind == _TEXT_FRAME else self._exit_reason())

    def set_parameter(self, effect: int, name: str, value: Setting) -> None:
        """Set a parameter; as in `Chain`."""
        self._send_text({"set": [effect, name, value]})

    def reset(self) -> None:
        """Clear the state of every effect."""
        self._send_text({"reset": True})

    def close(self) -> None:
        """Ask the supervising thread to end the process; returns at once."""
        self._closed.set()

    def _load(self, message: Mapping[str, Any]) -> None:
        self._send_text(message)
        kind, body = _read(self._process.stdout)
        self._busy_since = 0.0
        names = ", ".join(repr(effect["plugin"]) for effect in message["effects"])
        if kind != _TEXT_FRAME:
            raise errors.SeparatorError(f"effects {names} cannot be loaded: the chain {self._exit_reason()}")
        reply = json.loads(body)
        if "error" in reply:
            raise getattr(errors, reply["kind"])(reply["error"])
        self.timing = ChainLatency(*reply["timing"])
        self.parameter_specs: tuple[Mapping[str, ParameterSpec], ...] = tuple(
            {name: ParameterSpec(**{**spec, "choices": tuple(spec["choices"])}) for name, spec in specs.items()}
            for specs in reply["parameters"]
        )

    def _send_text(self, message: Mapping[str, Any]) -> None:
        self._send(_TEXT_FRAME, json.dumps(message).encode())

    def _send(self, kind: bytes, body: bytes) -> None:
        with suppress(OSError, ValueError):  # `collect` finds out
            _write(self._process.stdin, kind, body)

    def _supervise(self) -> None:
        while not self._closed.wait(_POLL_SECONDS):
            since = self._busy_since
            if since and time.monotonic() - since > self._timeout:
                self._hung = True
                break
        self._process.kill()
        self._process.wait()
        self._closed.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _exit_reason(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        if self._hung:
            return f"gave no reply within {self._timeout:g} s"
        return f"crashed with code {self._process.returncode}"


def main() -> None:
    """Run the process of a chain: load it, then process hops until standard input ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a plugin prints must not mix with the replies
    task = json.loads(_read(requests)[1])
    try:
        chain, reply = _build([EffectSpec.parse(effect) for effect in task["effects"]], *task["sizes"])
    except Exception as error:  # noqa: BLE001 - a plugin can fail in any way; the user gets one sentence
        kind = type(error).__name__ if isinstance(error, errors.StreamSepError) else "SeparatorError"
        _write(replies, _TEXT_FRAME, json.dumps({"error": str(error), "kind": kind}).encode())
        return
    go_first()  # the separator's hops wait for it; only now, as loading is never urgent
    gc.collect()
    gc.freeze()
    _write(replies, _TEXT_FRAME, json.dumps(reply).encode())
    _play(chain, task["sizes"][1], requests, replies)
    os._exit(0)  # some plugins crash when they are taken down in good order


def _build(effects: Sequence[EffectSpec], *sizes: int) -> tuple[PedalboardChain, dict[str, Any]]:
    timing = measure_latency(PedalboardChain(effects, *sizes), *sizes)
    chain = PedalboardChain(effects, *sizes)
    specs = [{name: vars(spec) for name, spec in effect.parameter_specs.items()} for effect in chain.effects]
    return chain, {"timing": [timing.shortfall, timing.delay], "parameters": specs}


def _play(chain: PedalboardChain, channels: int, requests: BinaryIO, replies: BinaryIO) -> None:
    while True:
        kind, body = _read(requests)
        if not kind:
            return
        try:
            if kind == _AUDIO_FRAME:
                sound = np.frombuffer(body, np.float32).reshape(channels, -1)
                _write(replies, _AUDIO_FRAME, np.ascontiguousarray(chain.process(sound), np.float32).tobytes())
            else:
                _handle(chain, json.loads(body))
        except Exception as error:  # noqa: BLE001 - as above
            _write(replies, _TEXT_FRAME, json.dumps({"failed": f"failed: {error}"}).encode())
            return


def _handle(chain: PedalboardChain, message: Mapping[str, Any]) -> None:
    if "reset" in message:
        chain.reset()
    else:
        place, name, value = message["set"]
        chain.effects[place].set_parameter(name, value)


def _write(pipe: BinaryIO | Any, kind: bytes, body: bytes) -> None:  # noqa: ANN401 - None for mypy's sake
    pipe.write(_HEAD.pack(kind, len(body)) + body)
    pipe.flush()


def _read(pipe: BinaryIO | Any) -> tuple[bytes, bytes]:  # noqa: ANN401 - as above
    """Return the next message as (type, body); both empty at the end of the stream."""
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
