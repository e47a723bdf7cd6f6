"""Stems over the network into REAPER, or into any DAW with the ReaStream plug-in: plain UDP, no driver."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np

from stream_sep.errors import BridgeError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Block: TypeAlias = NDArray[np.float32]

DEFAULT_PORT = 58710
MAX_CHANNELS = 64
MAX_BYTES = 1200
"""Bytes of audio in a packet."""

_HEADER = struct.Struct("<4si32sBih")
_TAG = b"MRSR"
_IDENTIFIER_BYTES = 32


def frames_per_packet(channels: int) -> int:
    """Return the number of frames in a packet with that many channels.

    >>> frames_per_packet(2), frames_per_packet(8), frames_per_packet(64)
    (150, 37, 4)
    """
    return MAX_BYTES // (4 * channels)


def write_packet(block: Block, sample_rate: int, identifier: bytes) -> bytes:
    """Build one packet: a header, then one channel after the other, all little-endian.

    Args:
        block: float32 ``(channels, frames)``, at most `frames_per_packet` frames.
        sample_rate: in Hz.
        identifier: the name of the stream, at most 32 bytes.

    Returns:
        The packet.

    >>> len(write_packet(np.zeros((8, 37), np.float32), 48000, b"default"))
    1231
    """
    sound = np.ascontiguousarray(block, "<f4").tobytes()
    header = _HEADER.pack(_TAG, _HEADER.size + len(sound), identifier, len(block), sample_rate, len(sound))
    return header + sound


class ReaStreamSender:
    """Sends blocks as ReaStream packets; for one thread at a time.

    Several channels pack as pairs: channels 1 and 2 are the first stem's left and right, and so on.

    Args:
        host: where REAPER or the plug-in runs; a broadcast address reaches them all.
        port: its UDP port.
        identifier: the name of the stream in the receiver.
        channels: how many, 1 to 64.
        sample_rate: in Hz.

    Attributes:
        packets: how many were sent.
        lost: how many could not be sent.

    Raises:
        ConfigError: channels, a rate or an identifier that ReaStream does not support.
        BridgeError: the host cannot be resolved.

    >>> with ReaStreamSender("127.0.0.1", channels=8) as sender:
    ...     sender.send(np.zeros((8, 64), np.float32))
    2
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        identifier: str = "default",
        channels: int = 2,
        sample_rate: int = 44100,
    ) -> None:
        self._identifier = identifier.encode()
        if not 0 < channels <= MAX_CHANNELS:
            raise ConfigError(f"ReaStream carries 1 to {MAX_CHANNELS} channels, not {channels}")
        if not 0 < sample_rate < 2**31:
            raise ConfigError(f"a sample rate of {sample_rate} Hz cannot be sent")
        if not 0 < len(self._identifier) < _IDENTIFIER_BYTES:
            raise ConfigError(f"the identifier {identifier!r} has to be 1 to {_IDENTIFIER_BYTES - 1} bytes long")
        self.packets = self.lost = 0
        self._channels, self._sample_rate = channels, sample_rate
        self._peer = _resolved(host, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.settimeout(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; harmless when closed."""
        self._socket.close()

    def send(self, block: Block) -> int:
        """Send a block of any length without blocking; return the number of packets.

        Args:
            block: float32 ``(channels, frames)``.

        Raises:
            ConfigError: another number of channels.
        """
        if block.ndim != 2 or len(block) != self._channels:
            raise ConfigError(f"a block of {self._channels} channels was announced, not of the shape {block.shape}")
        count = 0
        for part in _parts(block, frames_per_packet(self._channels)):
            self._pass_on(write_packet(part, self._sample_rate, self._identifier))
            count += 1
        return count

    def _pass_on(self, packet: bytes) -> None:
        self.packets += 1
        try:
            self._socket.sendto(packet, self._peer)
        except OSError:  # no receiver, or the network is congested: late audio is useless
            self.lost += 1


def _parts(block: Block, frames: int) -> Iterator[Block]:
    for start in range(0, block.shape[1], frames):
        yield block[:, start : start + frames]


def _resolved(host: str, port: int) -> tuple[str, int]:
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
        if 0 < port < 65536:
            return str(found[0]), port
    raise BridgeError(f"cannot resolve the ReaStream receiver {host}, UDP port {port}; is the name right?")
