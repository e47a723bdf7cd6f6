"""Live stem separation: music in, stems on faders, while it plays.

>>> from stream_sep import load_separator
>>> load_separator("live").stems
('vocals', 'drums', 'bass', 'other')
"""

from stream_sep.config import EngineConfig
from stream_sep.control import ControlState, Parameter
from stream_sep.engine import Engine
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
from stream_sep.io.jack_client import JackBackend
from stream_sep.io.offline import OfflineBackend
from stream_sep.io.paced import PacedBackend
from stream_sep.io.portaudio import PortAudioBackend
from stream_sep.latency import LatencyReport
from stream_sep.protocols import STEMS, Separator
from stream_sep.separators import load_separator
from stream_sep.stem_separator import StemSeparator

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
    "load_separator",
]
