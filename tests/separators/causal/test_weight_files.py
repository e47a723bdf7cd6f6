"""Weights files of the causal network: float32 and int8 agree, and an invalid file is one error."""

import hashlib
import json
import re

import numpy as np
import pytest
from requirements import require_package
from torch_runtime import TorchRuntime

from stream_sep.errors import SeparatorError
from stream_sep.separators import load_separator
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.stored_tensors import QUANTIZED, read_network
from stream_sep.separators.weight_file import SCALES, dequantized, read_metadata


@pytest.mark.parametrize("name", ["tiny", "tiny-ahead", "tiny-odd", "tiny-hybrid"])
def test_weights_stored_in_int8_are_those_that_would_be_rounded_when_loaded(weights, name):
    paths = weights / f"{name}.safetensors", weights / f"{name}-int8.safetensors"
    rounded, stored = map(CompiledRuntime, paths)
    assert stored.weights.number == rounded.weights.number
    assert stored.weights.file_bytes < rounded.weights.file_bytes
    for one, other in zip(arrays_of(rounded), arrays_of(stored), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    whole, close = (dequantized(read_network(path).tensors) for path in paths)
    for key, tensor in whole.items():
        step = np.abs(tensor).max(axis=-1, keepdims=True) / 127 if key in QUANTIZED else 0.0
        assert (np.abs(close[key] - tensor) <= 0.5001 * step).all()


def arrays_of(runtime):
    layers = (array for layer in runtime._layers for array in layer)
    *decoder, bands = runtime._decoder
    return [runtime._place, *runtime._encoder, *layers, *decoder, *bands]


FILES = pytest.mark.parametrize("name", ["tiny-int8.safetensors", "tiny.safetensors"])
LOADERS = pytest.mark.parametrize("load", [CompiledRuntime, TorchRuntime])


@FILES
@LOADERS
@pytest.mark.parametrize("where", [0.5, 0.99, 1.0])
def test_a_damaged_file_is_refused(weights, tmp_path, name, load, where):
    data = bytearray((weights / name).read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SeparatorError, match="copy"):
        load(tmp_path / name)


@FILES
@LOADERS
@pytest.mark.parametrize("kept", [0, 7, 100, 0.5])
def test_a_part_of_a_file_is_refused(weights, tmp_path, name, load, kept):
    data = (weights / name).read_bytes()
    (tmp_path / name).write_bytes(data[: kept if kept > 1 else int(kept * len(data))])
    with pytest.raises(SeparatorError, match=name):
        load(tmp_path / name)


def stored(path, change=dict, **metadata):
    """Write the tensors of a file after a change, with a checksum that is right, and other metadata."""
    header, body, tensors = {}, b"", dict(read_network(path).tensors)
    change(tensors)
    for key, tensor in tensors.items():
        start, body = len(body), body + tensor.tobytes()
        kind = {"float32": "F32", "int8": "I8", "float64": "F64"}[tensor.dtype.name]
        header[key] = {"dtype": kind, "shape": tensor.shape, "data_offsets": (start, len(body))}
    notes = {**read_metadata(path)[0], "sha256": hashlib.sha256(body).hexdigest(), **metadata}
    return assembled(json.dumps({**header, "__metadata__": notes}).encode(), body)


def assembled(header, body=b""):
    return len(header).to_bytes(8, "little") + header + body


def changed(name, function):
    return lambda tensors: tensors.update({name: function(tensors[name])})


@FILES
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("place"), "place is missing"),
        (lambda tensors: tensors.pop("blocks.0.memory.bias_hh_l0"), "blocks.0.memory.bias_hh_l0 is missing"),
        (lambda tensors: tensors.update(more=np.zeros(3, np.float32)), "more is unknown"),
        (changed("norm.weight", lambda tensor: tensor[:-1]), "norm.weight is float32"),
        (changed("blocks.0.gather.weight", np.transpose), "blocks.0.gather.weight is float32"),
        (changed("decoder", lambda tensor: tensor[..., None]), "decoder is"),
        (changed("place", lambda tensor: tensor.astype(np.int8)), "place is int8"),
        (changed("place", lambda tensor: tensor.astype(np.float64)), "F64"),
        (changed("place", lambda tensor: tensor * np.float32(np.nan)), "place is not finite"),
    ],
)
def test_tensors_other_than_its_size_needs_are_refused(weights, tmp_path, name, change, words):
    (tmp_path / name).write_bytes(stored(weights / name, change))
    with pytest.raises(SeparatorError, match=re.escape(words)):
        read_network(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("conv_in.norms.0.weight", np.transpose), "conv_in.norms.0.weight is float32"),
        (changed("conv_out.layers.1.weight", lambda tensor: tensor[..., :2]), "conv_out.layers.1.weight is float32"),
        (lambda tensors: tensors.pop("conv_out.project_out.bias"), "conv_out.project_out.bias is missing"),
        (lambda tensors: tensors.pop("conv_in.project_in.weight"), "conv_in.project_in.weight is missing"),
    ],
)
def test_convolutions_other_than_its_size_needs_are_refused(weights, tmp_path, change, words):
    (tmp_path / "x.safetensors").write_bytes(stored(weights / "tiny-hybrid.safetensors", change))
    with pytest.raises(SeparatorError, match=re.escape(words)):
        read_network(tmp_path / "x.safetensors")


@LOADERS
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("encoder" + SCALES), "encoder is int8"),
        (changed("encoder" + SCALES, lambda tensor: tensor[:, :-1]), "encoder.scales is float32"),
        (changed("encoder" + SCALES, lambda tensor: tensor.astype(np.int8)), "encoder.scales is int8"),
        (changed("encoder", lambda tensor: tensor.astype(np.float32)), "encoder is float32"),
        (lambda tensors: tensors.update({"place" + SCALES: tensors["place"]}), "place.scales is unknown"),
    ],
)
def test_int8_without_its_scales_is_refused(weights, tmp_path, load, change, words):
    (tmp_path / "w.safetensors").write_bytes(stored(weights / "tiny-int8.safetensors", change))
    with pytest.raises(SeparatorError, match=re.escape(words)):
        load(tmp_path / "w.safetensors")


@LOADERS
@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"kind": "stream_sep causal network 4"}, "'stream_sep causal network 4'"),
        ({"kind": "stream_sep unet 1"}, "'stream_sep unet 1'"),
        ({"size": "{"}, "cannot be built"),
        ({"size": "3"}, "cannot be built"),
        ({"size": "[" * 100_000}, "cannot be built"),
        ({"size": '{"size": "tiny", "blocks": 2}'}, "blocks.1.gather.bias is missing"),
        ({"size": '{"size": "tiny", "width": 12}'}, "in place of"),
        ({"size": '{"size": "tiny", "window": 1073741824}'}, "window is at most 65536"),
        ({"size": '{"size": "tiny", "lookahead": 1000000000}'}, "lookahead is at most 256"),
        ({"size": '{"size": "tiny", "blocks": 1000000000}'}, "blocks is at most 64"),
        ({"size": '{"size": "tiny", "points": 1000000000}'}, "points is at most 4096"),
        ({"size": '{"size": "tiny", "width": 1000000000}'}, "width is at most 4096"),
        ({"size": '{"size": "tiny", "mixer": 1000000000}'}, "mixer is at most 4096"),
    ],
)
def test_a_size_other_than_that_of_its_tensors_is_refused(weights, tmp_path, load, metadata, words):
    (tmp_path / "w.safetensors").write_bytes(stored(weights / "tiny.safetensors", **metadata))
    with pytest.raises(SeparatorError, match=re.escape(words)):
        load(tmp_path / "w.safetensors")


@LOADERS
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data_offsets": [0, 1 << 40]}, "hold the weights"),
        ({"data_offsets": [-8, 8]}, "hold the weights"),
        ({"data_offsets": [0]}, "hold the weights"),
        ({"data_offsets": ["a", "b"]}, "hold the weights"),
        ({"data_offsets": None}, "hold the weights"),
        ({"shape": [1 << 40, 1 << 40]}, "hold the weights"),
        ({"shape": "many"}, "hold the weights"),
        ({"shape": [-1]}, "hold the weights"),
        ({"dtype": "I64"}, "hold the weights"),
        ({"dtype": []}, "hold the weights"),
        ({"more": 1}, "hold the weights"),
    ],
)
def test_a_header_that_describes_no_tensors_is_refused(weights, tmp_path, load, change, words):
    data = (weights / "tiny.safetensors").read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["norm.weight"].update(change)
    (tmp_path / "w.safetensors").write_bytes(assembled(json.dumps(header).encode(), data[end:]))
    with pytest.raises(SeparatorError, match=words):
        load(tmp_path / "w.safetensors")


@LOADERS
@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04K\x01.",  # a pickle
        b"\x08\x08\x12\x07pytorch" * 10,  # ONNX
        (1 << 63).to_bytes(8, "little") + b"{}",
        (1 << 30).to_bytes(8, "little") + b"{}" * 1000,
        assembled(b"[]"),
        assembled(b"{}"),
        assembled(b'{"__metadata__": 3}'),
        assembled(b"[" * 100_000),
        assembled(b"\xff\xfe"),
    ],
    ids=["pickle", "onnx", "header-of-8-EiB", "header-of-1-GiB", "list", "empty", "number", "deep", "no-text"],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, load, data):
    require_package("torch", "train")
    (tmp_path / "w.safetensors").write_bytes(data)
    with pytest.raises(SeparatorError, match="not a safetensors file"):
        load(tmp_path / "w.safetensors")


def test_training_begins_with_int8_weights(weights):
    from stream_sep.training.kinds import load_model  # noqa: PLC0415 - loads torch

    network = load_model(weights / "tiny-int8.safetensors")[1].network
    tensors = dequantized(read_network(weights / "tiny-int8.safetensors").tensors)
    assert tensors.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), tensors[name])


def test_training_refuses_int8_with_scales_of_another_shape(weights, tmp_path):
    from stream_sep.training.kinds import load_model  # noqa: PLC0415 - loads torch

    change = changed("encoder" + SCALES, lambda tensor: tensor[:, :1])
    (tmp_path / "w.safetensors").write_bytes(stored(weights / "tiny-int8.safetensors", change))
    with pytest.raises(SeparatorError, match="encoder has"):
        load_model(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("name", "words"), [("none.safetensors", "cannot be read"), ("x.onnx", "safetensors file that it was exported")]
)
def test_files_that_are_missing_or_of_another_kind_are_refused(tmp_path, name, words):
    with pytest.raises(SeparatorError, match=words):
        load_separator(str(tmp_path / name))
