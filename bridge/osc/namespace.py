"""The OSC addresses of a mixer: which control each one moves, in which unit, and its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.osc.node import Group, Node
from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB, db_to_position, gain_to_db, position_to_db
from stream_sep.control.parameters import UNLIMITED
from stream_sep.protocols import stem_color

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.osc.codec import Arguments
    from bridge.protocols import MixerControl
    from stream_sep.control.parameters import Parameter, Value


_RESERVED = str.maketrans(dict.fromkeys(" #*,/?[]{}", "_"))
_MAX_INTEGER = 2**31 - 1
PRESET_LIST = "/preset/list"
"""The address of the names of all presets."""

_COUNTERS = {f"engine/{name}" for name in ("late_hops", "xruns", "dry_frames", "restarts")}
_LATENCY = ("engine/latency_ms", "engine/latency_frames")
_METERS = {"mix": "/master", "input": "/input"}


def safe_name(stem: str) -> str:
    """Return a stem's name as an address can hold it.

    >>> safe_name("lead vocals [wet]")
    'lead_vocals__wet_'
    """
    return stem.translate(_RESERVED)


def nodes_of(mixer: MixerControl, presets: Callable[[], tuple[str, ...]] | None = None) -> tuple[Node, ...]:
    """Return all addresses of a mixer, stems first.

    Args:
        mixer: the mixer to control.
        presets: gives the names of the presets without a wait; the mixer reads them from a folder.

    Returns:
        A node for each address.
    """
    parameters = mixer.controls.parameters.values()
    return (
        *(node for parameter in parameters for node in _of_parameter(parameter, mixer.stems)),
        *(node for index, stem in enumerate(mixer.stems) for node in _of_stem(index, stem)),
        *(_meter(name, address) for name, address in _METERS.items()),
        Node("/engine/latency", "fi", Group.ENGINE, _latency, _LATENCY, unit="ms", description="in ms and in frames"),
        Node(
            PRESET_LIST,
            "s",
            Group.PRESET,
            lambda mixer: (presets or mixer.presets)(),
            description="the presets there are",
        ),
    )


def _latency(mixer: MixerControl) -> Arguments:
    milliseconds, frames = (mixer.controls[path] for path in _LATENCY)
    return float(milliseconds), _integer(frames)


def _of_parameter(parameter: Parameter, stems: tuple[str, ...]) -> Iterator[Node]:
    address = _address(parameter.path, stems)
    group = _group(parameter)
    if parameter.path in _LATENCY:
        return
    if parameter.path == "preset":
        yield _node(parameter, "/preset/current", "s", Group.PRESET, str)
    elif parameter.path.endswith("/gain_db"):
        yield from _level(parameter, address.removesuffix("gain_db"))
    elif isinstance(parameter.default, str):
        yield _node(parameter, address, "s", group, str)
    elif isinstance(parameter.default, bool):
        yield _node(parameter, address, "i", group, _integer, to_stored=_switch)
    elif parameter.path in _COUNTERS:
        yield _node(parameter, address, "i", group, _integer)
    else:
        yield _node(parameter, address, "f", group, float)


def _level(parameter: Parameter, base: str) -> Iterator[Node]:
    path = parameter.path
    yield Node(
        f"{base}fader",
        "f",
        Group.FADERS,
        lambda mixer: (db_to_position(float(mixer.controls[path])),),
        (path,),
        path,
        lambda position: position_to_db(float(str(position))),
        0.0,
        1.0,
        description="fader travel, 0.75 is 0 dB",
    )
    yield _node(parameter, f"{base}gain", "f", Group.FADERS, float)


def _node(
    parameter: Parameter,
    address: str,
    types: str,
    group: Group,
    encode: Callable[[Value], float | int | str],
    *,
    to_stored: Callable[[object], object] = lambda value: value,
) -> Node:
    path, numeric = parameter.path, types != "s"
    return Node(
        address,
        types,
        group,
        lambda mixer: (encode(mixer.controls[path]),),
        (path,),
        "" if parameter.readonly else path,
        to_stored,
        parameter.low if numeric else None,
        parameter.high if numeric and parameter.high < UNLIMITED else None,
        parameter.unit,
        _description(path),
    )


_OF_LEVELS = {"gain_db": "level, -90 is silent", "mute": "1 is silent"}
_DESCRIPTIONS = {
    **_OF_LEVELS,
    **{f"master/{name}": description for name, description in _OF_LEVELS.items()},
    "solo": "1 silences all stems that are not soloed",
    "pan": "-1 left, 0 centre, 1 right",
    "chain/bypass": "1 bypasses the stem's effects",
    "master/limiter": "1 keeps the mix below full scale",
    "bypass": "1 plays the delayed input",
    "karaoke": "how much of the vocals is taken out",
    "ramp_ms": "duration of a gain change",
    "preset": "the preset applied last",
    "engine/model": "the separator",
    "engine/device": "the audio device",
    "engine/state": "whether the engine runs",
    "engine/load": "share of its time that the separator computes, 1 is all",
    "engine/late_hops": "hops that were not ready when they were due",
    "engine/xruns": "blocks for which the sound card ran out of data",
    "engine/dry_frames": "frames played without separation, because the stems were late or the separator failed",
    "engine/restarts": "restarts of the separator",
    "transport/play": "1 plays, 0 pauses",
    "transport/seek": "second of the song to go to; it is -1 again at once",
    "transport/next": "1 goes to the next song",
    "transport/previous": "1 goes to the previous song",
    "transport/track": "number of the song, from 1",
    "transport/loop/on": "1 repeats the loop",
    "transport/loop/start": "second where the loop begins",
    "transport/loop/end": "second where the loop ends",
    "transport/speed": "speed, 1 is the song's own",
    "transport/pitch": "transposition",
    "transport/position": "second of the song that plays",
    "transport/length": "length of the song",
    "transport/title": "the song's name",
    "transport/tracks": "number of songs",
    "transport/refined": "share of the song that has stems of the best model",
}


def _description(path: str) -> str:
    """Return what a control does; empty for parameters of effects, which are called as their effect calls them."""
    return _DESCRIPTIONS.get(path.split("/", 2)[2] if path.startswith("stem/") else path, "")


def _of_stem(index: int, stem: str) -> Iterator[Node]:
    base, colour = f"/stem/{safe_name(stem)}", stem_color(stem, index)
    yield Node(f"{base}/name", "s", Group.NAMES, lambda _: (stem,), description="name of the stem")
    yield Node(f"{base}/color", "s", Group.NAMES, lambda _: (colour,), description="color of the stem")
    yield _meter(stem, base)


def _meter(name: str, base: str) -> Node:
    return Node(
        f"{base}/meter",
        "ff",
        Group.METERS,
        lambda mixer: _decibels(mixer.peaks()[name]),
        low=SILENCE_DB,
        high=LOUDEST_DB,
        unit="dB",
        description="falling peak in dBFS, left and right",
    )


def _decibels(sides: tuple[float, float]) -> Arguments:
    return tuple(round(min(gain_to_db(side), LOUDEST_DB), 2) for side in sides)


def _address(path: str, stems: tuple[str, ...]) -> str:
    for stem in stems:
        if path.startswith(f"stem/{stem}/"):
            return f"/stem/{safe_name(stem)}/{path.removeprefix(f'stem/{stem}/')}"
    return f"/{path}"


def _group(parameter: Parameter) -> Group:
    if parameter.path.startswith("engine/") or (parameter.readonly and parameter.path.startswith("transport/")):
        return Group.ENGINE
    if parameter.path == "karaoke":  # a fader that most surfaces have as a button
        return Group.FADERS | Group.BUTTONS
    return Group.BUTTONS if isinstance(parameter.default, bool) else Group.FADERS


def _integer(value: Value) -> int:
    return int(min(float(value), _MAX_INTEGER))


def _switch(value: object) -> bool:
    return float(str(value)) > 0
