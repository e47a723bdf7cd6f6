"""Port latencies of the JACK graph, reported and queried: calls that JACK-Client does not wrap.

As JACK's ``types.h`` requires, a client that delays audio handles a latency callback for each direction, from the
ports on one side to those on the other.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.backends.jack_callbacks import CAPTURE, LATENCIES, PLAYBACK, latency_callback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["CAPTURE", "PLAYBACK", "PortLatencies"]


class PortLatencies:
    """Reads and sets the latency ranges of one client's ports.

    Args:
        jack: the ``jack`` module.
        client: a `jack.Client`.
    """

    def __init__(self, jack: Any, client: Any) -> None:  # noqa: ANN401 - JACK-Client has no types
        self._ffi = jack._ffi  # noqa: SLF001 - the C pointers have no public names
        self._library = ctypes.CDLL(jack._libname)  # noqa: SLF001 - already loaded, so this only finds it again
        self._client = client

    def settle(self) -> None:
        """Make the server recompute all latencies now; after a connection it does so later."""
        self._library.jack_recompute_total_latencies(self._pointer(self._client))

    def longest(self, ports: Iterable[Any], mode: int) -> int:
        """Return the longest latency in frames between any of ``ports`` and the sound card, 0 if there is none.

        Args:
            ports: the ports.
            mode: capture or playback.
        """
        return max((self._range(port, mode)[1] for port in ports), default=0)

    def declare(self, frames: int) -> object:
        """Report to the graph that this client delays audio by ``frames``; before it is activated.

        Returns:
            An object that must live as long as the client.
        """
        ins, outs = (np.array([self._pointer(port).value for port in ports], np.int64) for ports in self._ports())
        record, span = np.zeros(1, LATENCIES), np.zeros(2, np.uint32)
        memory = {"ins": ins.ctypes.data, "outs": outs.ctypes.data, "span": span.ctypes.data}
        functions = {
            "get": self._library.jack_port_get_latency_range,
            "set": self._library.jack_port_set_latency_range,
        }
        for name, value in memory.items():
            record[name] = value
        for name, function in functions.items():
            record[name] = ctypes.cast(function, ctypes.c_void_p).value
        record["in_count"], record["out_count"], record["frames"] = len(ins), len(outs), frames
        callback = ctypes.c_void_p(latency_callback().address)
        self._library.jack_set_latency_callback(self._pointer(self._client), callback, self._address(record))
        return ins, outs, span, record

    def _ports(self) -> tuple[list[Any], list[Any]]:
        return list(self._client.inports), list(self._client.outports)

    @staticmethod
    def _address(array: NDArray[Any]) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def _range(self, port: Any, mode: int) -> tuple[int, int]:  # noqa: ANN401 - JACK-Client has no types
        span = (ctypes.c_uint32 * 2)()
        self._library.jack_port_get_latency_range(self._pointer(port), ctypes.c_int(mode), span)
        return int(span[0]), int(span[1])

    def _pointer(self, thing: Any) -> ctypes.c_void_p:  # noqa: ANN401 - JACK-Client has no types
        return ctypes.c_void_p(int(self._ffi.cast("uintptr_t", thing._ptr)))  # noqa: SLF001
