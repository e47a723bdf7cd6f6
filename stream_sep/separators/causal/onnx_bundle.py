"""An ONNX file that is one model to every program, and its stages to us, which can run with pauses in between.

Messages of Protocol Buffers may be joined by joining their bytes: lists grow, and fields of the same message merge.
So the file holds one graph without ends for each part, then a graph of nothing but the ends of the whole; read in one
go they are the whole. What a part needs to stand alone, the ends of its own, is kept as a note.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal.weights import WeightStats, read_bytes, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkConfig

_GRAPH, _NOTE = 7, 14  # fields of a model, in ONNX's own description of its files
_KEY, _VALUE = 1, 2  # fields of a note
_NODE, _TENSOR = 1, 5  # fields of a graph
_GIVEN, _MADE, _OPERATION = 1, 2, 4  # fields of a node
_SHAPE, _KIND, _NAME, _RAW = 1, 2, 8, 9  # fields of a tensor
_FLOAT32 = 1
_ENDS = "ends"
_VARINT, _MESSAGE, _LENGTHS = 0, 2, {1: 8, 5: 4}


class OnnxParts(NamedTuple):
    """What a file holds: its notes, and each part as a model of its own."""

    notes: dict[str, str]
    models: list[bytes]


class Exported(NamedTuple):
    """An exported network: its configuration, parameter count, and each stage as a model of its own."""

    size: NetworkConfig
    weights: WeightStats
    models: list[bytes]


def read_export(path: Path) -> Exported:
    """Read what `export_onnx` wrote.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind.
    """
    data = check_digest(read_bytes(path), path)
    notes, models = split_parts(data, path)
    return Exported(size_of(notes, path), WeightStats(int(notes.get("weights", 0)), len(data)), models)


def join_parts(models: Sequence[Any], notes: Mapping[str, str]) -> bytes:
    """Return one ONNX file of models that are run one after the other.

    Args:
        models: `onnx.ModelProto` each. What has the same name in two of them is the same; an input of the whole is
            what no part before made, an output what no part uses.
        notes: what else to keep, such as the size of the network.
    """
    bodies, ends, whole = b"", [], models[0].__class__()
    made = {out.name for model in models for out in model.graph.output}
    used = {given.name for model in models for given in model.graph.input}
    whole.graph.name = "whole"
    for model in models:
        whole.graph.input.extend(given for given in model.graph.input if given.name not in made)
        whole.graph.output.extend(out for out in model.graph.output if out.name not in used)
        own = model.__class__()
        own.graph.name = "part"
        own.graph.input.extend(model.graph.input)
        own.graph.output.extend(model.graph.output)
        ends.append(base64.b64encode(own.SerializeToString()).decode())
        body = model.__class__()
        body.graph.node.extend(model.graph.node)
        body.graph.initializer.extend(model.graph.initializer)
        bodies += body.SerializeToString()
    head = models[0].__class__()
    head.CopyFrom(models[0])
    head.ClearField("graph")
    for key, value in {**notes, _ENDS: json.dumps(ends)}.items():
        head.metadata_props.add(key=key, value=value)
    return bytes(head.SerializeToString() + bodies + whole.SerializeToString())


def split_parts(data: bytes, path: Path) -> OnnxParts:
    """Return what `join_parts` joined.

    Args:
        data: the file's bytes.
        path: the file, for errors.

    Raises:
        SeparatorError: it was something else.
    """
    head, graphs, notes = b"", [], {}
    try:
        for number, start, inside, end in _fields(data):
            if number == _GRAPH:
                graphs.append(data[start:end])
            elif number == _NOTE:
                entry = {key: data[inside + a : inside + b] for key, _, a, b in _fields(data[inside:end])}
                notes[entry[_KEY].decode()] = entry[_VALUE].decode()
            else:
                head += data[start:end]
        ends = [base64.b64decode(each) for each in json.loads(notes[_ENDS])]
        return OnnxParts(notes, [head + graph + own for graph, own in zip(graphs[:-1], ends, strict=True)])
    except (ValueError, KeyError, IndexError) as error:
        raise SeparatorError(f"{path} is no ONNX model of this version ({error!r}); export it again") from error


def read_tensors(model: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the weights in a model that are of float32, by their names; those that are the same have several."""
    tensors: dict[str, NDArray[np.float32]] = {}
    nodes = []
    for number, _, inside, end in _fields(model):
        if number == _GRAPH:
            graph = model[inside:end]
            inside_graph = [(field, graph[a:b]) for field, _, a, b in _fields(graph)]
            tensors.update(pair for field, data in inside_graph if field == _TENSOR and (pair := _named_tensor(data)))
            nodes += [_names(data) for field, data in inside_graph if field == _NODE]
    tensors.update((out, tensors[given]) for given, out, kind in nodes if kind == "Identity" and given in tensors)
    return tensors


def _names(node: bytes) -> tuple[str, str, str]:
    """Return what goes into a node, what comes out, and of which kind it is; of several the last."""
    found = dict.fromkeys((_GIVEN, _MADE, _OPERATION), "")
    for number, _, inside, end in _fields(node):
        if number in found:
            found[number] = node[inside:end].decode()
    return found[_GIVEN], found[_MADE], found[_OPERATION]


def _named_tensor(data: bytes) -> tuple[str, NDArray[np.float32]] | None:
    shape, name, raw, kind = [], "", b"", 0
    for number, _, inside, end in _fields(data):
        if number == _SHAPE:
            shape.append(_varint(data, inside)[0])
        elif number == _KIND:
            kind = _varint(data, inside)[0]
        elif number == _NAME:
            name = data[inside:end].decode()
        elif number == _RAW:
            raw = data[inside:end]
    return (name, np.frombuffer(raw, "<f4").reshape(shape).copy()) if kind == _FLOAT32 else None


def _fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, start, start of the content and end of each field of a message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        inside = at
        if tag & 7 == _VARINT:
            at = _varint(data, at)[1]
        elif tag & 7 == _MESSAGE:
            length, inside = _varint(data, at)
            at = inside + length
        else:
            at += _LENGTHS[tag & 7]
        yield tag >> 3, start, inside, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def check_digest(data: bytes, path: Path) -> bytes:
    """Return an ONNX file's bytes if its last note, the SHA-256 of all before that note, is right.

    Args:
        data: the file's bytes.
        path: the file, for errors.

    Raises:
        SeparatorError: it is wrong, or not there.
    """
    tail = len(digest_note(b""))
    if len(data) < tail or data[-tail:] != digest_note(data[:-tail]):
        raise SeparatorError(f"{path} is damaged, or not from 'stream-sep models export'; export or copy it again")
    return data


def digest_note(body: bytes) -> bytes:
    """Return bytes that, put behind an ONNX file, add its own SHA-256 to its notes."""
    key, value = b"sha256", hashlib.sha256(body).hexdigest().encode()
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(entry)]) + entry
