"""The control tree of the plug-in's host: control surfaces and the DAW's faders move each other through it.

Each instance of the plug-in has faders of its own. The tree shows those of one instance, the first opened of
those that are open; the others follow their DAW only.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from stream_sep.control.parameters import parameters_for
from stream_sep.control.presets.library import list_presets, load_preset, store_preset
from stream_sep.control.state import ControlState
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.plugin.session import PluginSession
    from stream_sep.control.parameters import Parameter

_OF_STEMS = ("gain_db", "mute", "solo")
_BUSES = ("mix", *STEMS)


def plugin_parameters() -> tuple[Parameter, ...]:
    """Return the plug-in's controls, and its read-only ones.

    >>> [parameter.path for parameter in plugin_parameters()][:3]
    ['stem/vocals/gain_db', 'stem/vocals/mute', 'stem/vocals/solo']
    """
    return tuple(parameter for parameter in parameters_for(STEMS) if _has(parameter))


def _has(parameter: Parameter) -> bool:
    kind, _, rest = parameter.path.partition("/")
    if kind == "stem":
        return rest.partition("/")[2] in _OF_STEMS
    return parameter.readonly or parameter.path in {"bypass", "karaoke"}


class PluginMixer:
    """A `MixerControl` over the instances of the plug-in."""

    def __init__(self) -> None:
        self.controls = ControlState(plugin_parameters())
        self._sessions: list[PluginSession] = []
        self._shown: dict[str, float] = {}
        self._lock = threading.RLock()
        self.controls.subscribe(self._changed)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems."""
        return STEMS

    @property
    def sessions(self) -> tuple[PluginSession, ...]:
        """The instances that play; the tree shows the first."""
        return tuple(self._sessions)

    def add(self, session: PluginSession) -> None:
        """Add an instance; the tree shows it if it is the first."""
        with self._lock:
            self._sessions.append(session)
            if len(self._sessions) == 1:
                self._show(session)

    def remove(self, session: PluginSession) -> None:
        """Remove an instance; the tree then shows the next one."""
        with self._lock:
            if session not in self._sessions:
                return
            shown = self._sessions[0] is session
            self._sessions.remove(session)
            if shown and self._sessions:
                self._show(self._sessions[0])
            elif shown:
                self.controls.publish({"engine/state": "stopped"})

    def follow(self, session: PluginSession, values: Mapping[str, float]) -> None:
        """Update the tree with the values that the DAW set in an instance.

        Args:
            session: the instance.
            values: parameter values from the DAW.
        """
        with self._lock:
            if self._sessions and self._sessions[0] is session:
                self._shown.update(values)
                self.controls.publish({path: value for path, value in values.items() if self._settable(path)})

    def publish_status(self) -> None:
        """Update the read-only controls."""
        with self._lock:
            if self._sessions:
                self.controls.publish({"engine/late_hops": self._sessions[0].late_hops, "engine/state": "running"})

    def apply(self, values: Mapping[str, object], *, fade_ms: float | None = None, at: float | None = None) -> None:
        """Apply values as one change, at once and with the plug-in's own ramp.

        Args:
            values: values by path.
            fade_ms: length of the fade.
            at: frame at which it starts, or None.
        """
        del fade_ms, at
        self.controls.update(values)

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the falling peak of the mix and of each stem, linear, left and right."""
        sessions = self.sessions
        peaks = sessions[0].peaks if sessions else ()
        sides = (*peaks, *([0.0] * (2 * len(_BUSES) - len(peaks))))
        buses = {name: (sides[2 * row], sides[2 * row + 1]) for row, name in enumerate(_BUSES)}
        return {**buses, "input": buses["mix"]}

    def presets(self) -> tuple[str, ...]:
        """Return the names of all presets."""
        return tuple(list_presets())

    def recall(self, preset: str, *, fade_ms: float | None = None) -> None:
        """Apply the controls of a preset that the plug-in has; effects and pan are the DAW's.

        Args:
            preset: its name.
            fade_ms: length of the fade; the preset's own by default.

        Raises:
            PresetError: there is none of that name, or it is not for these stems.
        """
        values = load_preset(preset, stems=STEMS, files=False).resolve(STEMS)
        self.apply({path: value for path, value in values.items() if self._settable(path)}, fade_ms=fade_ms)
        self.controls.publish({"preset": preset})

    def store(self, preset: str) -> None:
        """Save the controls as a preset of the user's.

        Raises:
            PresetError: the name is invalid, or the file cannot be written.
        """
        store_preset(preset, self.controls)
        self.controls.publish({"preset": preset})

    def _settable(self, path: str) -> bool:
        parameter = self.controls.parameters.get(path)
        return parameter is not None and not parameter.readonly

    def _show(self, session: PluginSession) -> None:
        assert session.hello is not None
        self._shown = dict(session.controls)
        self.controls.publish(
            {
                **{path: value for path, value in session.controls.items() if self._settable(path)},
                "engine/model": session.hello.model,
                "engine/device": "plug-in",
                "engine/state": "running",
                "engine/latency_frames": session.hello.latency,
                "engine/latency_ms": session.latency_ms,
            }
        )

    def _changed(self, path: str) -> None:
        with self._lock:
            value = self.controls[path]
            if not self._sessions or not self._settable(path) or self._shown.get(path) == value:
                return  # the change is the DAW's own
            self._shown[path] = float(value)
            self._sessions[0].send_controls({path: float(value)})
