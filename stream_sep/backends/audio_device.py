"""One sound device, as PortAudio describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["input", "output"]


@dataclass(frozen=True)
class AudioDevice:
    """One device as PortAudio lists it.

    Attributes:
        index: its number, as ``--input`` and ``--output`` take it.
        name: its name.
        host_api: its host API, such as ALSA, JACK or Core Audio.
        inputs: input channels, 0 for none.
        outputs: output channels, 0 for none.
        default_sample_rate: its preferred sample rate.
        is_default_input: whether it is the default input.
        is_default_output: whether it is the default output.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    default_sample_rate: int
    is_default_input: bool
    is_default_output: bool

    @property
    def full_name(self) -> str:
        """Its name and host API, as `find_device` accepts them."""
        return f"{self.name}, {self.host_api}"

    def channels(self, kind: Kind) -> int:
        """Return its number of input or output channels."""
        return self.inputs if kind == "input" else self.outputs
