"""The output formats of stems."""

from __future__ import annotations

from dataclasses import dataclass

from stream_sep.errors import ConfigError

FORMATS = ("wav", "flac", "mp3", "ogg", "stem.mp4")

CLIP_MODES = ("rescale", "clamp", "tanh", "none")

_WAV = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}
_FLAC = {16: "PCM_16", 24: "PCM_24"}
_KBPS = (32, 320)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_FULL_BAND = 44100
_MAX_WAV_BYTES = 4_000_000_000


@dataclass(frozen=True)
class AudioFormat:
    """The audio format of a file.

    Attributes:
        name: one of `FORMATS`; also the ending of the file's name.
        bits: of a frame in WAV (16, 24, 32 are floats) and FLAC (16, 24).
        kbps: kilobits per second of MP3 and of the streams of a stem file.
        clip: handling of sound over full scale: ``rescale`` turns the whole file down, ``clamp`` cuts at 0.99,
            ``tanh`` bends, ``none`` leaves it, which all but floats then cut at 1. ``auto`` is ``none`` for floats
            and ``rescale`` for the rest.

    Raises:
        ConfigError: a combination that does not exist.
    """

    name: str = "wav"
    bits: int = 16
    kbps: int = 320
    clip: str = "auto"

    def __post_init__(self) -> None:
        """Check the values."""
        if self.name not in FORMATS:
            raise ConfigError(f"unknown format {self.name!r}; choose from {', '.join(FORMATS)}")
        depths = {"wav": _WAV, "flac": _FLAC}.get(self.name)
        if depths is not None and self.bits not in depths:
            raise ConfigError(f"{self.name} supports {' or '.join(map(str, depths))} bits, not {self.bits}")
        if not _KBPS[0] <= self.kbps <= _KBPS[1]:
            raise ConfigError(f"--bitrate must be from {_KBPS[0]} to {_KBPS[1]} kbit/s, not {self.kbps}")
        if self.clip not in (*CLIP_MODES, "auto"):
            raise ConfigError(f"unknown clip mode {self.clip!r}; choose from auto, {', '.join(CLIP_MODES)}")

    @property
    def clip_mode(self) -> str:
        """The handling of sound over full scale, with ``auto`` resolved."""
        if self.clip != "auto":
            return self.clip
        return "none" if self.floats else "rescale"

    @property
    def floats(self) -> bool:
        """Whether full scale is no limit."""
        return self.name == "wav" and self.bits == 32

    def rate_for(self, rate: int) -> int:
        """Return the lowest supported sample rate that is not below ``rate``, else the highest.

        >>> AudioFormat("mp3").rate_for(96000), AudioFormat("mp3").rate_for(88200), AudioFormat("wav").rate_for(96000)
        (48000, 44100, 96000)
        """
        if self.name != "mp3" or rate in _MP3_RATES:
            return rate
        fractions = [held for held in _MP3_RATES if rate % held == 0 and held >= _FULL_BAND]
        return max(fractions, default=next((held for held in _MP3_RATES if held > rate), _MP3_RATES[-1]))

    def container(self, frames: int) -> dict[str, object]:
        """Return the arguments of `soundfile.SoundFile` for a stereo file of so many frames.

        >>> AudioFormat("wav", 32).container(600_000_000)
        {'format': 'RF64', 'subtype': 'FLOAT'}
        """
        if self.name == "flac":
            return {"format": "FLAC", "subtype": _FLAC[self.bits]}
        if self.name == "ogg":
            return {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.3}
        if self.name == "mp3":
            level = (_KBPS[1] - self.kbps) / (_KBPS[1] - _KBPS[0])
            constant = {"compression_level": level, "bitrate_mode": "CONSTANT"}
            return {"format": "MP3", "subtype": "MPEG_LAYER_III", **constant}
        large = frames * 2 * self.bits // 8 > _MAX_WAV_BYTES  # too large for a WAV header
        return {"format": "RF64" if large else "WAV", "subtype": _WAV[self.bits]}


FLOATS = AudioFormat("wav", 32, clip="none")
"""The lossless format of intermediate stems."""
