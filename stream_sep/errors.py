"""Every error a user of stream_sep can meet; each message says what happened, with which value, and what to try."""


class StreamSepError(Exception):
    """Anything stream_sep refuses or cannot do; catch this one to catch them all."""


class ConfigError(StreamSepError):
    """A setting that makes no sense, alone or beside the others."""


class DeviceError(StreamSepError):
    """A sound device that is missing, busy, gone, or cannot do what was asked."""


class SeparatorError(StreamSepError):
    """A separator that is unknown, cannot be loaded, or failed."""


class ParameterError(StreamSepError):
    """A control path that does not exist, or a value it cannot take."""


class AudioFileError(StreamSepError):
    """A file that cannot be read or written."""


class PresetError(StreamSepError):
    """A preset that is missing or cannot be read."""


class BridgeError(StreamSepError):
    """A control surface cannot be reached: a network or MIDI port that is taken or not there."""


class FileInUseError(AudioFileError):
    """A file that another process is writing."""


class DamagedCacheError(AudioFileError):
    """Stems in the cache that are not what was put there."""


class Cancelled(StreamSepError):  # noqa: N818 - nothing went wrong: somebody asked for it
    """Work that was stopped because somebody asked for it, which is no failure."""
