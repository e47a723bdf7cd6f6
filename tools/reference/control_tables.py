"""The control tree and its OSC addresses, from the parameters that the engine registers."""

from dataclasses import dataclass
from pathlib import Path

from markdown import code, constants_of, table

import bridge.osc
from bridge.osc.commands import COMMANDS
from bridge.osc.namespace import nodes_of
from bridge.osc.node import Group, Node
from stream_sep.control.parameters import UNLIMITED, Parameter, parameters_for
from stream_sep.control.state import ControlState
from stream_sep.control.transport import transport_parameters
from stream_sep.protocols import STEMS

EXAMPLE = STEMS[0]
"""The stem whose controls represent those of every stem."""

AREAS = {"stem": "A stem", "transport": "The song, in `play`", "engine": "The engine"}
"""First part of a path or an address -> heading of its table."""

OTHERS = "The whole mix"
"""Heading of all other controls."""


@dataclass
class _Mixer:
    stems: tuple[str, ...]
    controls: ControlState

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return no peaks."""
        return {}

    def presets(self) -> tuple[str, ...]:
        """Return no presets."""
        return ()


def _parameters() -> tuple[Parameter, ...]:
    return (*parameters_for(STEMS), *transport_parameters())


def _range(parameter: Parameter) -> str:
    if isinstance(parameter.default, str):
        return "text"
    if isinstance(parameter.default, bool):
        return "on, off"
    high = "" if parameter.high >= UNLIMITED else f"{parameter.high:.9g}"
    return f"{parameter.low:g} to {high} {parameter.unit}".replace("to  ", "or more ").strip()


def _default(parameter: Parameter) -> str:
    if parameter.readonly:
        return ""
    if isinstance(parameter.default, bool):
        return "on" if parameter.default else "off"
    if isinstance(parameter.default, float):
        return f"{parameter.default:g} {parameter.unit}".strip()
    return parameter.default


def _is_shown(path: str) -> bool:
    return not path.startswith("stem/") or path.startswith(f"stem/{EXAMPLE}/")


def control_page() -> str:
    """Return the page of control paths, as presets, scripts and MIDI maps name them."""
    meanings = _meanings()
    rows = [
        (
            code(parameter.path.replace(f"/{EXAMPLE}/", "/STEM/")),
            _meaning(meanings[parameter.path], read_only=parameter.readonly),
            _range(parameter),
            _default(parameter),
        )
        for parameter in _parameters()
        if _is_shown(parameter.path)
    ]
    return (
        "# Control tree\n\n"
        "Every control has one path. Presets, MIDI maps, `--set` and `Engine.set` use it as it stands; OSC has an\n"
        "[address](osc-addresses.md) for each. `STEM` is the name of a stem, such as `vocals`. Effects add\n"
        "`stem/STEM/chain/NUMBER/PARAMETER`, counted from 1: see [effects](../../how-to/effects.md).\n\n"
        "    stream-sep live --set stem/vocals/gain_db=-12 --set karaoke=1\n\n"
        f"{_by_area(('path', 'meaning', 'values', 'default'), rows)}"
    )


def _by_area(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table for each area, below its heading."""
    found: dict[str, list[tuple[str, ...]]] = {title: [] for title in (AREAS["stem"], OTHERS, *AREAS.values())}
    for row in rows:
        found[AREAS.get(row[0].strip("`/").partition("/")[0], OTHERS)].append(row)
    return "\n".join(f"## {title}\n\n{table(head, part)}\n" for title, part in found.items())


def _meaning(text: str, *, read_only: bool) -> str:
    return f"{text} (read-only)" if read_only else text


def _nodes() -> tuple[Node, ...]:
    return nodes_of(_Mixer(STEMS, ControlState(_parameters())))  # type: ignore[arg-type]


def _meanings() -> dict[str, str]:
    """Return the meaning of each control; a level is described by its gain, not by its fader."""
    faders_first = sorted(_nodes(), key=lambda node: not node.address.endswith("/fader"))
    found = {path: node.description for node in faders_first for path in node.sources}
    return found | dict.fromkeys(("engine/latency_ms", "engine/latency_frames"), "delay from the input to the output")


def osc_page() -> str:
    """Return the page of OSC addresses."""
    nodes = _nodes()
    rows = [
        (
            code(node.address.replace(f"/{EXAMPLE}/", "/STEM/")),
            _meaning(node.description, read_only=not node.path),
            code(node.types),
            _node_range(node),
            _group(node.group),
        )
        for node in nodes
        if f"/{EXAMPLE}/" in node.address or not node.address.startswith("/stem/")
    ]
    return (
        "# OSC addresses\n\n"
        "The engine listens on UDP port 9137 unless `--osc-port` names another; [a tutorial](../../tutorials/phone-osc.md)\n"
        "shows how to send and receive. An address without a value is a query. `STEM` is a stem's name or its number from\n"
        "1, or an OSC pattern such as `*`. `/subscribe` takes a sum of groups.\n\n"
        f"{_by_area(('address', 'meaning', 'types', 'range', 'group'), rows)}\n{_commands()}{_limits()}"
    )


def _node_range(node: Node) -> str:
    if node.low is None:
        return ""
    return f"{node.low:.9g} {'or more' if node.high is None else f'to {node.high:.9g}'} {node.unit}".strip()


def _commands() -> str:
    rows = [(code(address), arguments, meaning) for address, (arguments, meaning) in COMMANDS.items()]
    return f"## Commands\n\n{table(('address', 'arguments', 'meaning'), rows)}\n\n"


def _group(group: Group) -> str:
    return f"{group.name.lower().replace('|', ', ')} ({group.value})" if group.name else str(group.value)


def _limits() -> str:
    folder = Path(str(bridge.osc.__file__)).parent
    rows = [
        (text.rstrip("."), code(value))
        for file in sorted(folder.glob("*.py"))
        for name, (value, text) in constants_of(file.read_text(encoding="utf-8")).items()
        if isinstance(value, int | float) and not name.startswith("_")
    ]
    return f"## Limits\n\n{table(('limit', 'value'), rows)}\n" if rows else ""
