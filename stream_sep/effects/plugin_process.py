"""Plug-ins from files, hosted in a separate process.

Loading one holds the GIL for tens of milliseconds, needs the main thread, and may crash; in a separate process
none of this reaches the audio. Messages and sound go over standard input and output, in the frames of
`lowlevel.wire`.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep import errors
from stream_sep.effects.aligned_chain import ChainError
from stream_sep.effects.catalog import ParameterSpec
from stream_sep.effects.latency_probe import ChainLatency, measure_latency
from stream_sep.effects.pedalboard_chain import PedalboardChain
from stream_sep.effects.spec import EffectSpec
from stream_sep.lowlevel.child_process import ChildProcess
from stream_sep.lowlevel.child_side import open_pipes
from stream_sep.lowlevel.thread_priority import raise_worker_priority
from stream_sep.lowlevel.wire import AUDIO_FRAME, TEXT_FRAME, read_frame, read_message, write_frame, write_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.catalog import Setting
    from stream_sep.lowlevel.child_side import Pipes
    from stream_sep.protocols import Block

_LOAD_SECONDS = 30.0
_HOP_SECONDS = 0.5
_POLL_SECONDS = 0.05
_EXIT_TIMEOUT = 1.0


class PluginProcess:
    """A chain whose effects run in a separate process; a `Chain`.

    Args:
        effects: the effects to load.
        sample_rate: frames per second.
        channels: channels of the stem.
        hop: frames of a hop.

    Raises:
        SeparatorError: an effect cannot be loaded, crashes, or takes longer than 30 s.
        ConfigError: a parameter that is not there, or an invalid value.
    """

    def __init__(self, effects: Sequence[EffectSpec], sample_rate: int, channels: int, hop: int) -> None:
        self._channels = channels
        self._closed, self._hung = threading.Event(), False
        self._timeout, self._busy_since = _LOAD_SECONDS, time.monotonic()
        # plug-ins print debug output; errors arrive as messages
        self._process = ChildProcess("stream_sep.effects.plugin_process", quiet=True)
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
        write_frame(self._process.requests, AUDIO_FRAME, np.ascontiguousarray(block, np.float32).tobytes())

    def collect(self) -> Block:
        """Receive the output; as in `Chain`."""
        frame = read_frame(self._process.replies)
        self._busy_since = 0.0
        if frame is None:
            raise ChainError(self._exit_reason())
        if frame.kind == TEXT_FRAME:
            raise ChainError(frame.message()["failed"])
        return np.frombuffer(frame.body, np.float32).reshape(self._channels, -1)

    def set_parameter(self, effect: int, name: str, value: Setting) -> None:
        """Set a parameter; as in `Chain`."""
        self._send_text({"set": [effect, name, value]})

    def reset(self) -> None:
        """Clear the state of every effect."""
        self._send_text({"reset": True})

    def close(self) -> None:
        """Signal the supervising thread to end the process, without waiting for it."""
        self._closed.set()

    def _load(self, message: Mapping[str, Any]) -> None:
        write_message(self._process.requests, message)
        reply = read_message(self._process.replies)
        self._busy_since = 0.0
        names = ", ".join(repr(effect["plugin"]) for effect in message["effects"])
        if reply is None:
            raise errors.SeparatorError(f"effects {names} cannot be loaded: the chain {self._exit_reason()}")
        if "error" in reply:
            raise getattr(errors, reply["kind"])(reply["error"])
        self.timing = ChainLatency(*reply["timing"])
        self.parameter_specs: tuple[Mapping[str, ParameterSpec], ...] = tuple(
            {name: ParameterSpec(**{**spec, "choices": tuple(spec["choices"])}) for name, spec in specs.items()}
            for specs in reply["parameters"]
        )

    def _send_text(self, message: Mapping[str, Any]) -> None:
        was_busy, self._busy_since = self._busy_since, self._busy_since or time.monotonic()
        write_message(self._process.requests, message)  # waits where the pipe is full; `collect` finds a dead process
        self._busy_since = was_busy

    def _supervise(self) -> None:
        while not self._closed.wait(_POLL_SECONDS):
            since = self._busy_since
            if since and time.monotonic() - since > self._timeout:
                self._hung = True
                break
        self._process.kill()
        self._closed.wait()
        self._process.close()

    def _exit_reason(self) -> str:
        self._process.ended.wait(_EXIT_TIMEOUT)
        if self._hung:
            return f"gave no reply within {self._timeout:g} s"
        return f"crashed with code {self._process.exit_code}"


def main() -> None:
    """Run the process of a chain: load it, then process hops until standard input ends."""
    pipes = open_pipes()
    task = read_message(pipes.requests)
    if task is None:
        return
    try:
        chain, reply = _build([EffectSpec.parse(effect) for effect in task["effects"]], *task["sizes"])
    except Exception as error:  # noqa: BLE001 - a plugin can fail in any way; the user gets a message
        kind = type(error).__name__ if isinstance(error, errors.StreamSepError) else "SeparatorError"
        write_message(pipes.replies, {"error": str(error), "kind": kind})
        return
    raise_worker_priority()  # the separator's hops wait for it; only now, as loading is never urgent
    gc.collect()
    gc.freeze()
    write_message(pipes.replies, reply)
    _play(chain, task["sizes"][1], pipes)
    os._exit(0)  # some plugins crash when they are taken down in good order


def _build(effects: Sequence[EffectSpec], *sizes: int) -> tuple[PedalboardChain, dict[str, Any]]:
    timing = measure_latency(PedalboardChain(effects, *sizes), *sizes)
    chain = PedalboardChain(effects, *sizes)
    specs = [{name: vars(spec) for name, spec in effect.parameter_specs.items()} for effect in chain.effects]
    return chain, {"timing": [timing.shortfall, timing.delay], "parameters": specs}


def _play(chain: PedalboardChain, channels: int, pipes: Pipes) -> None:
    while (frame := read_frame(pipes.requests)) is not None:
        try:
            if frame.kind == AUDIO_FRAME:
                sound = np.frombuffer(frame.body, np.float32).reshape(channels, -1)
                out = np.ascontiguousarray(chain.process(sound), np.float32)
                write_frame(pipes.replies, AUDIO_FRAME, out.tobytes())
            else:
                _handle(chain, frame.message())
        except Exception as error:  # noqa: BLE001 - as above
            write_message(pipes.replies, {"failed": f"failed: {error}"})
            return


def _handle(chain: PedalboardChain, message: Mapping[str, Any]) -> None:
    if "reset" in message:
        chain.reset()
    else:
        place, name, value = message["set"]
        chain.effects[place].set_parameter(name, value)
