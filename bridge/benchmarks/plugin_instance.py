"""The plug-in without a DAW: a minimal LV2 host for measurements."""

from __future__ import annotations

import ctypes
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.plugin.parameters import plugin_parameters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

_INPUTS, _OUTPUTS = 2, 10
_FREEWHEEL, _LATENCY, _CONTROLS = 12, 13, 14  # ports, as lv2_bundle.py numbers them
_URID_MAP = b"http://lv2plug.in/ns/ext/urid#map"
_OPTIONS = b"http://lv2plug.in/ns/ext/options#options"
_BLOCK_LENGTH = b"http://lv2plug.in/ns/ext/buf-size#nominalBlockLength"
_MAP = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_char_p)


class _Descriptor(ctypes.Structure):
    _fields_ = (
        ("uri", ctypes.c_char_p),
        (
            "instantiate",
            ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p),
        ),
        ("connect_port", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)),
        ("activate", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("run", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32)),
        ("deactivate", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("cleanup", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("extension_data", ctypes.c_void_p),
    )


class _Map(ctypes.Structure):
    _fields_ = (("handle", ctypes.c_void_p), ("map", _MAP))


class _Option(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("context", "subject", "key", "size", "type")),
        ("value", ctypes.c_void_p),
    )


class _Feature(ctypes.Structure):
    _fields_ = (("uri", ctypes.c_char_p), ("data", ctypes.c_void_p))


class PluginInstance:
    """One instance of the plug-in, played block by block.

    Args:
        binary: the plug-in.
        sample_rate: frames per second.
        block_size: frames of every block.
    """

    def __init__(self, binary: Path, sample_rate: int, block_size: int) -> None:
        library = ctypes.CDLL(str(binary))
        library.lv2_descriptor.restype = ctypes.POINTER(_Descriptor)
        self._calls = library.lv2_descriptor(0).contents
        self._kept = _features(block_size)
        self._handle = self._calls.instantiate(
            ctypes.addressof(self._calls), float(sample_rate), b"", ctypes.addressof(self._kept[0])
        )
        self._parameters = {parameter.symbol: at for at, parameter in enumerate(plugin_parameters())}
        self._controls = np.array([0, 0, *(parameter.default for parameter in plugin_parameters())], np.float32)
        self._sound = np.zeros((_INPUTS + _OUTPUTS, block_size), np.float32)
        for port in range(_INPUTS + _OUTPUTS):
            self._calls.connect_port(self._handle, port, self._sound[port].ctypes.data)
        for at in range(len(self._controls)):
            self._calls.connect_port(self._handle, _FREEWHEEL + at, self._controls[at:].ctypes.data)

    def activate(self) -> None:
        """Activate the plug-in, which requests a separator."""
        self._calls.activate(self._handle)

    def __setitem__(self, symbol: str, value: float) -> None:
        self._controls[_CONTROLS - _FREEWHEEL + self._parameters[symbol]] = value

    def __getitem__(self, symbol: str) -> float:
        return float(self._controls[_CONTROLS - _FREEWHEEL + self._parameters[symbol]])

    @property
    def latency(self) -> int:
        """Frames between input and output, valid once a block was played."""
        return int(self._controls[_LATENCY - _FREEWHEEL])

    def set_offline(self, *, offline: bool) -> None:
        """Set whether the host renders offline."""
        self._controls[0] = float(offline)

    def run(self, block: Block) -> NDArray[np.float32]:
        """Play ``(2, block_size)``; return ``(10, block_size)``, which the next call overwrites."""
        self._sound[:_INPUTS] = block
        self._calls.run(self._handle, self._sound.shape[1])
        return self._sound[_INPUTS:]

    def close(self) -> None:
        """Release the plug-in and its separator."""
        self._calls.deactivate(self._handle)
        self._calls.cleanup(self._handle)


def _features(block_size: int) -> tuple[Any, ...]:
    """Return the features that pass the block size to the plug-in, and the objects that must outlive it."""
    numbers: dict[bytes, int] = {}
    count = itertools.count(1)
    mapped = _MAP(lambda _, uri: numbers.setdefault(uri, next(count)))
    urid_map, length = _Map(None, mapped), ctypes.c_int32(block_size)
    key = mapped(None, _BLOCK_LENGTH)
    options = (_Option * 2)(_Option(0, 0, key, 4, 0, ctypes.addressof(length)), _Option())
    features = (
        _Feature(_URID_MAP, ctypes.addressof(urid_map)),
        _Feature(_OPTIONS, ctypes.addressof(options)),
    )
    pointers = (ctypes.c_void_p * 3)(*(ctypes.addressof(feature) for feature in features), None)
    return pointers, features, options, urid_map, length, mapped
