"""A reader of ReaStream packets."""

import struct

import numpy as np


def parsed(packet):
    """A packet by the published layout, field by field, and nothing of the sender's."""
    assert packet[:4] == b"MRSR"
    (size,) = struct.unpack_from("<I", packet, 4)
    assert size == len(packet)
    name = packet[8:40]
    channels = packet[40]
    (rate,) = struct.unpack_from("<I", packet, 41)
    (length,) = struct.unpack_from("<H", packet, 45)
    assert length == len(packet) - 47
    assert length <= 1200
    frames = length // channels // 4
    sides = [
        [struct.unpack_from("<f", packet, 47 + 4 * (channel * frames + frame))[0] for frame in range(frames)]
        for channel in range(channels)
    ]
    return name, rate, np.array(sides, np.float32)
