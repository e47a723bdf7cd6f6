"""Live stem separation: music in, stems on faders, while it plays.

>>> from stream_sep import load_separator
>>> load_separator("live").stems
('vocals', 'drums', 'bass', 'other')
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_sep.audio.latency import LatencyReport
    from stream_sep.backends.jack import JackBackend
    from stream_sep.backends.offline import OfflineBackend
    from stream_sep.backends.paced import PacedBackend
    from stream_sep.backends.portaudio import PortAudioBackend
    from stream_sep.control.parameters import Parameter
    from stream_sep.control.state import ControlState
    from stream_sep.engine.config import EngineConfig
    from stream_sep.engine.engine import Engine
    from stream_sep.errors import (
        AudioFileError,
        BridgeError,
        ConfigError,
        DeviceError,
        ParameterError,
        PresetError,
        SeparatorError,
        StreamSepError,
    )
    from stream_sep.files.demo_song import load_demo_song
    from stream_sep.protocols import STEMS, Separator
    from stream_sep.separators import load_separator
    from stream_sep.separators.stem_separator import StemSeparator

__all__ = [
    "STEMS",
    "AudioFileError",
    "BridgeError",
    "ConfigError",
    "ControlState",
    "DeviceError",
    "Engine",
    "EngineConfig",
    "JackBackend",
    "LatencyReport",
    "OfflineBackend",
    "PacedBackend",
    "Parameter",
    "ParameterError",
    "PortAudioBackend",
    "PresetError",
    "Separator",
    "SeparatorError",
    "StemSeparator",
    "StreamSepError",
    "load_demo_song",
    "load_separator",
]

_HOMES = {
    "AudioFileError": "stream_sep.errors",
    "BridgeError": "stream_sep.errors",
    "ConfigError": "stream_sep.errors",
    "ControlState": "stream_sep.control.state",
    "DeviceError": "stream_sep.errors",
    "Engine": "stream_sep.engine.engine",
    "EngineConfig": "stream_sep.engine.config",
    "JackBackend": "stream_sep.backends.jack",
    "LatencyReport": "stream_sep.audio.latency",
    "OfflineBackend": "stream_sep.backends.offline",
    "PacedBackend": "stream_sep.backends.paced",
    "Parameter": "stream_sep.control.parameters",
    "ParameterError": "stream_sep.errors",
    "PortAudioBackend": "stream_sep.backends.portaudio",
    "PresetError": "stream_sep.errors",
    "STEMS": "stream_sep.protocols",
    "Separator": "stream_sep.protocols",
    "SeparatorError": "stream_sep.errors",
    "StemSeparator": "stream_sep.separators.stem_separator",
    "StreamSepError": "stream_sep.errors",
    "load_demo_song": "stream_sep.files.demo_song",
    "load_separator": "stream_sep.separators",
}
"""Name -> the module it is imported from on first access, so that a command starts before all modules are loaded."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name on first access."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(importlib.import_module(_HOMES[name]), name)
        return found

    def __dir__() -> list[str]:
        """List the public names."""
        return sorted({*globals(), *_HOMES})
