"""The plug-in's LV2 description, which hosts read instead of loading it: two Turtle files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.plugin.parameters import plugin_parameters
from bridge.plugin.session import MODELS
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from bridge.plugin.parameters import PluginParameter

URI = "https://github.com/stream-sep/stream-sep#plugin"
"""The plug-in's URI in LV2; it never changes."""

_STATES = ("no engine", "starting", "running")
_BUSES = ("main", *STEMS)
_UNITS = {"dB": "units:db", "ms": "units:ms"}
_MANIFEST = """\
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .

<{uri}>
    a lv2:Plugin ;
    lv2:binary <{binary}> ;
    rdfs:seeAlso <stream_sep.ttl> .
"""
_HEAD = """\
@prefix doap: <http://usefulinc.com/ns/doap#> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix opts: <http://lv2plug.in/ns/ext/options#> .
@prefix bufsz: <http://lv2plug.in/ns/ext/buf-size#> .
@prefix pprops: <http://lv2plug.in/ns/ext/port-props#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix units: <http://lv2plug.in/ns/extensions/units#> .
@prefix urid: <http://lv2plug.in/ns/ext/urid#> .

<http://kx.studio/ns/lv2ext/control-input-port-change-request> a lv2:Feature .

<{uri}>
    a lv2:Plugin , lv2:SpectralPlugin ;
    doap:name "stream_sep" ;
    doap:license <https://opensource.org/license/mit> ;
    lv2:project [
        a doap:Project ;
        doap:name "stream_sep" ;
        doap:maintainer [ a foaf:Person ; foaf:name "The stream_sep developers" ]
    ] ;
    rdfs:comment "Live stems: vocals, drums, bass and other, each on an output and a fader" ;
    lv2:minorVersion 1 ;
    lv2:microVersion 0 ;
    lv2:optionalFeature lv2:hardRTCapable , opts:options , urid:map ,
        <http://kx.studio/ns/lv2ext/control-input-port-change-request> ;
    opts:supportedOption bufsz:nominalBlockLength , bufsz:maxBlockLength ;
    lv2:port
"""


def manifest(binary: str) -> str:
    """Return ``manifest.ttl`` for a binary of this name."""
    return _MANIFEST.format(uri=URI, binary=binary)


def description() -> str:
    """Return ``stream_sep.ttl``: ports in the order of native/wrapper_lv2.cpp."""
    ports = [_audio("InputPort", "in", "In", side) for side in ("l", "r")]
    ports += [_audio("OutputPort", bus, bus.capitalize(), side) for bus in _BUSES for side in ("l", "r")]
    ports += [_freewheel(), _latency(), *map(_control, plugin_parameters())]
    numbered = [port.replace("INDEX", str(number)) for number, port in enumerate(ports)]
    return _HEAD.format(uri=URI) + " ,\n".join(numbered) + " .\n"


def _port(types: str, symbol: str, name: str, *more: str) -> str:
    lines = (f"a {types}", "lv2:index INDEX", f'lv2:symbol "{symbol}"', f'lv2:name "{name}"', *more)
    return "        [ " + " ;\n          ".join(lines) + " ]"


def _audio(kind: str, symbol: str, name: str, side: str) -> str:
    return _port(f"lv2:AudioPort , lv2:{kind}", f"{symbol}_{side}", f"{name} {side.upper()}")


def _freewheel() -> str:
    toggle = ("lv2:default 0", "lv2:minimum 0", "lv2:maximum 1")
    hidden = ("lv2:designation lv2:freeWheeling", "lv2:portProperty lv2:toggled , pprops:notOnGUI")
    return _port("lv2:ControlPort , lv2:InputPort", "freewheel", "Freewheel", *toggle, *hidden)


def _latency() -> str:
    known = ("lv2:designation lv2:latency", "lv2:portProperty lv2:reportsLatency , lv2:integer , pprops:notOnGUI")
    return _port("lv2:ControlPort , lv2:OutputPort", "latency", "Latency", *known, "units:unit units:frame")


def _control(parameter: PluginParameter) -> str:
    kind = "OutputPort" if parameter.readonly else "InputPort"
    more = [f"lv2:{key} {getattr(parameter, key)}" for key in ("default", "minimum", "maximum")]
    more += [f"units:unit {_UNITS[parameter.unit]}"] if parameter.unit else []
    more += _PROPERTIES[parameter.kind]
    more += ["lv2:portProperty pprops:expensive"] if not parameter.path and not parameter.readonly else []
    choices = {"CHOICE": MODELS, "METER": _STATES}.get(parameter.kind, ())
    points = " , ".join(f'[ rdfs:label "{label}" ; <{_RDF_VALUE}> {value} ]' for value, label in enumerate(choices))
    more += [f"lv2:scalePoint {points}"] if points else []
    return _port(f"lv2:ControlPort , lv2:{kind}", parameter.symbol, parameter.name, *more)


_RDF_VALUE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#value"
_PROPERTIES: dict[str, list[str]] = {
    "CONTINUOUS": [],
    "TOGGLE": ["lv2:portProperty lv2:toggled"],
    "BYPASS": ["lv2:portProperty lv2:toggled"],
    "CHOICE": ["lv2:portProperty lv2:integer , lv2:enumeration"],
    "METER": ["lv2:portProperty lv2:integer , lv2:enumeration"],
    "COUNTER": ["lv2:portProperty lv2:integer"],
}
