"""A mixer's OSC addresses as the JSON that OSCQuery clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.osc.node import Node
    from bridge.protocols import MixerControl

Json: TypeAlias = dict[str, Any]

SUPPORTED = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT")
"""Attributes that nodes here may have."""

KNOWN = (*SUPPORTED, "TAGS", "EXTENDED_TYPE", "CRITICAL", "CLIPMODE", "OVERLOADS")
"""Attributes that OSCQuery has a meaning for."""

READ, WRITE = 1, 2
_SWITCH_TYPES = "i"


class Tree:
    """All addresses, nested as their names are.

    Args:
        mixer: read when a value is requested.
        nodes: every address there is.
        prefix: of every address.
    """

    def __init__(self, mixer: MixerControl, nodes: Iterable[Node], prefix: str = "") -> None:
        self._mixer = mixer
        self._nodes = {prefix + node.address: node for node in nodes}
        self._actions = {f"{prefix}/preset/{name}": text for name, text in _ACTIONS.items()}
        self._branches: dict[str, list[str]] = {"": []}
        for address in (*self._nodes, *self._actions):
            self._grow(address)

    def _grow(self, address: str) -> None:
        parent = address.rpartition("/")[0]
        if parent not in self._branches:
            self._branches[parent] = []
            self._grow(parent)
        if address not in self._branches[parent]:
            self._branches[parent].append(address)

    def below(self, address: str) -> list[Node]:
        """Return the nodes at and under an address; none if there is no such address."""
        within = address.rstrip("/") + "/"
        return [node for at, node in self._nodes.items() if f"{at}/".startswith(within)]

    def describe(self, address: str) -> Json | None:
        """Return the attributes of an address and of those under it; None if there is no such address."""
        at = address.rstrip("/")
        if at in self._nodes:
            return self._leaf(at, self._nodes[at])
        if at in self._actions:
            return {"FULL_PATH": at, "TYPE": "s", "ACCESS": WRITE, "DESCRIPTION": self._actions[at]}
        if at not in self._branches:
            return None
        contents = {child.rpartition("/")[2]: self.describe(child) for child in self._branches[at]}
        return {"FULL_PATH": at or "/", "ACCESS": 0, "CONTENTS": contents}

    def _leaf(self, address: str, node: Node) -> Json:
        values = list(node.read(self._mixer))
        described = {
            "FULL_PATH": address,
            "TYPE": node.types if len(node.types) == len(values) else node.types * len(values),
            "ACCESS": READ | (WRITE if node.path else 0),
            "VALUE": values,
            "RANGE": [_range(node)] * len(node.types) if node.low is not None else None,
            "UNIT": [node.unit] * len(node.types) if node.unit else None,
            "DESCRIPTION": node.description or None,
        }
        return {name: value for name, value in described.items() if value is not None}


_ACTIONS = {
    "recall": "apply the preset of this name",
    "save": "save the mix as a new preset of this name; with 1 after it, replace one",
    "store": "keep the controls as they are as a preset of this name",
}


def _range(node: Node) -> Json:
    if node.types == _SWITCH_TYPES and node.path:
        return {"VALS": [0, 1]}
    return {name: value for name, value in (("MIN", node.low), ("MAX", node.high)) if value is not None}
