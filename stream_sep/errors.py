"""Every error that stream_sep raises; each message names the problem, the value and a remedy."""


class StreamSepError(Exception):
    """Base class of all errors of stream_sep; catch this one to catch them all."""


class ConfigError(StreamSepError):
    """An invalid setting, or settings that exclude each other."""


class DeviceError(StreamSepError):
    """An audio device that is missing, busy, disconnected, or does not support the requested settings."""


class SeparatorError(StreamSepError):
    """A separator that is unknown, cannot be loaded, or failed."""


class ParameterError(StreamSepError):
    """A control path that does not exist, or a value that it does not accept."""


class AudioFileError(StreamSepError):
    """A file that cannot be read or written."""


class PresetError(StreamSepError):
    """A preset that is missing or cannot be read."""


class BridgeError(StreamSepError):
    """A control surface that cannot be reached: a network or MIDI port that is in use or missing."""


class FileInUseError(AudioFileError):
    """A file that another process is writing."""


class DamagedCacheError(AudioFileError):
    """Stems in the cache that no longer match their checksums."""


class Cancelled(StreamSepError):  # noqa: N818 - nothing went wrong: the caller requested it
    """Work that was stopped on request, which is not a failure."""


def reason(error: BaseException) -> str:
    """Return the reason, for a message that names the file itself: an `OSError` without its number and path.

    >>> reason(FileNotFoundError(2, "No such file or directory", "song.wav")), reason(ValueError("too short"))
    ('no such file or directory', 'too short')
    """
    text = getattr(error, "strerror", None)
    return f"{text[0].lower()}{text[1:]}" if isinstance(text, str) and text else str(error)
