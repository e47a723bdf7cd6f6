"""Live stem separation: music in, stems on faders, while it plays.

>>> from stream_sep import load_separator
>>> load_separator("live").stems
('vocals', 'drums', 'bass', 'other')
"""

from stream_sep.audio.latency import LatencyReport
from stream_sep.backends.jack import JackBackend
from stream_sep.backends.offline import OfflineBackend
from stream_sep.backends.paced import PacedBackend
from stream_sep.backends.portaudio import PortAudioBackend
from stream_sep.control.state import ControlState, Parameter
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
