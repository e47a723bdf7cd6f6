"""A mixer without an engine, for tests of control surfaces."""

from stream_sep.control.parameters import parameters_for
from stream_sep.control.state import ControlState
from stream_sep.errors import PresetError
from stream_sep.protocols import STEMS


class MixerDouble:
    """Stands in for a mixer: keeps the calls it received, and returns the peaks that a test sets."""

    def __init__(self):
        self.stems = STEMS
        self.controls = ControlState(parameters_for(STEMS))
        self.applied, self.recalled, self.stored = [], [], []
        self.metered = dict.fromkeys(("mix", *STEMS, "input"), (0.0, 0.0))

    def apply(self, values, *, fade_ms=None, at=None):
        self.controls.update(values)
        self.applied.append((dict(values), fade_ms, at))

    def peaks(self):
        return self.metered

    def presets(self):
        return ("acapella", "karaoke")

    def recall(self, preset, *, fade_ms=None):
        if preset not in self.presets():
            raise PresetError(f"there is no preset {preset!r}")
        self.recalled.append((preset, fade_ms))
        self.controls.publish({"preset": preset})

    def store(self, preset):
        self.stored.append(preset)
