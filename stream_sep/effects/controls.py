"""Effect parameters in the control tree: one path each, moved like any fader."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from stream_sep.control.parameters import Parameter
from stream_sep.effects.catalog import EFFECTS, is_file
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.control.parameters import Value
    from stream_sep.control.state import ControlState
    from stream_sep.effects.catalog import ParameterSpec, Setting
    from stream_sep.effects.chained_separator import Chains
    from stream_sep.effects.spec import ChainSpec

UNBOUNDED = 1e9
"""The range, either way, of a plug-in parameter whose range is not known before it is set."""

_BYPASS = "bypass"


class EffectWorker(Protocol):
    """A worker that runs the chains."""

    @property
    def chains(self) -> ChainSpec:
        """The current effects."""
        ...

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects."""
        ...

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect.

        Args:
            stem: whose chain.
            index: the effect's index, bypassed ones counted.
            parameter: the parameter's name.
            value: its new value.
        """
        ...

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Bypass a stem's chain.

        Args:
            stem: whose chain.
            bypassed: whether the chain is bypassed.
        """
        ...


def effect_parameters(chains: ChainSpec) -> tuple[Parameter, ...]:
    """Return a control for each parameter that a chain names, and one that bypasses each effect.

    The path is ``stem/STEM/chain/NUMBER/PARAMETER``, effects counted from 1.

    >>> from stream_sep.effects.spec import ChainSpec
    >>> chains = ChainSpec.parse({"vocals": [{"plugin": "Reverb", "parameters": {"room_size": 0.7}}]})
    >>> [(parameter.path, parameter.default) for parameter in effect_parameters(chains)]
    [('stem/vocals/chain/1/bypass', False), ('stem/vocals/chain/1/room_size', 0.7)]
    """
    found = []
    for stem, effects in chains.effects.items():
        for number, effect in enumerate(effects, start=1):
            place = f"stem/{stem}/chain/{number}/"
            known = {} if is_file(effect.plugin) else EFFECTS[effect.plugin]
            found.append(Parameter(place + _BYPASS, default=effect.bypass))
            found += [_parameter(place + name, value, known.get(name)) for name, value in effect.parameters.items()]
    return tuple(found)


def _parameter(path: str, value: Setting, parameter_spec: ParameterSpec | None) -> Parameter:
    if parameter_spec is None:  # of a plug-in file, which refuses a value only when it is set
        return Parameter(path, value, -UNBOUNDED, UNBOUNDED)
    return Parameter(path, value, parameter_spec.low, parameter_spec.high)


def is_of_effect(path: str) -> bool:
    """Return whether a control belongs to an effect, or bypasses all of a stem; setting it may take long.

    Args:
        path: of the control.

    >>> is_of_effect("stem/vocals/chain/1/room_size"), is_of_effect("stem/vocals/gain_db")
    (True, False)
    """
    return path.startswith("stem/") and "/chain/" in path


class EffectControls:
    """Applies changes of the control tree to the effects, and adds and removes their parameters in the tree.

    Args:
        controls: where effects have a path each.
        worker: runs the chains.
        chained: whether there can be any.
        report: called with a message about a change that failed.
    """

    def __init__(
        self, controls: ControlState, worker: EffectWorker, *, chained: bool, report: Callable[[str], None]
    ) -> None:
        self._controls, self._worker = controls, worker
        self._syncing = threading.Lock()
        self._chained = chained
        self._report = report

    def sync(self) -> None:
        """Register the parameters of all current effects and remove those of effects that are gone."""
        with self._syncing:
            retired = {path for path in self._controls if is_of_effect(path) and not path.endswith("/chain/bypass")}
            self._controls.replace_parameters(retired, effect_parameters(self._worker.chains))

    def handle_change(self, path: str) -> None:
        """Apply the new value at ``path``, if that belongs to an effect."""
        if not (self._chained and is_of_effect(path)):
            return
        _, stem, _, *place = path.split("/")
        try:
            self._apply(stem, place, self._controls[path])
        except StreamSepError as error:
            self._report(f"could not apply {path}: {error}")

    def _apply(self, stem: str, place: list[str], value: Value) -> None:
        if place == [_BYPASS]:
            self._worker.set_bypass(stem, bypassed=bool(value))
        elif self._setting(stem, int(place[0]) - 1, place[1]) != value:
            self._worker.set_effect(stem, int(place[0]) - 1, place[1], value)

    def _setting(self, stem: str, index: int, name: str) -> Setting | None:
        effects = self._worker.chains.of(stem)
        if index >= len(effects):
            return None
        return effects[index].bypass if name == _BYPASS else effects[index].parameters.get(name)
