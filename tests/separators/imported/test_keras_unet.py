"""A U-Net written as Keras writes it comes back as the same network."""

import numpy as np
import pytest
from requirements import require_package

from stream_sep.errors import SeparatorError

require_package("torch", "train")
require_package("h5py", "train")

import h5py
import torch
from keras_unet import KERAS_EPSILON, _in_order, load_keras_unet

from stream_sep.separators.unet.network import UNet


def network(**options):
    torch.manual_seed(0)
    made = UNet(2, 1, 2, **options).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = KERAS_EPSILON
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return made


def write(made, path, *, inner="model_weights", change=lambda _number, arrays: arrays):
    with h5py.File(path, "w") as file:
        weights = file.create_group(inner) if inner else file
        names = ["input_1"]
        weights.create_group("input_1").attrs["weight_names"] = []
        for number, module in enumerate(_in_order(made)):
            name = f"layer_{number}"
            group = weights.create_group(name)
            if isinstance(module, torch.nn.BatchNorm2d):
                tensors = [module.weight, module.bias, module.running_mean, module.running_var]
            else:
                tensors = [module.weight.permute(2, 3, 1, 0), *([module.bias] if module.bias is not None else [])]
            arrays = change(number, [tensor.detach().numpy() for tensor in tensors])
            for row, array in enumerate(arrays):
                group.create_dataset(f"{name}/{row}:0", data=array)
            group.attrs["weight_names"] = [f"{name}/{row}:0".encode() for row in range(len(arrays))]
            names.append(name)
        weights.attrs["layer_names"] = [name.encode() for name in names]


@pytest.mark.parametrize("inner", ["model_weights", ""])
@pytest.mark.parametrize("biases", [True, False])
def test_it_computes_what_the_written_network_does(tmp_path, inner, biases):
    made = network(biases=biases)
    write(made, tmp_path / "c.h5", inner=inner)
    read = load_keras_unet(tmp_path / "c.h5")
    x = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(read(x), made(x))
    assert sum(each.numel() for each in read.parameters()) == sum(each.numel() for each in made.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda number, arrays: [arrays[0][..., :1]] if number == 4 else arrays, r"layer 4 has arrays of \["),
        (lambda number, arrays: [] if number == 4 else arrays, "layers with weights; the U-Net has"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, change, words):
    write(network(), tmp_path / "c.h5", change=change)
    with pytest.raises(SeparatorError, match=words):
        load_keras_unet(tmp_path / "c.h5")


def test_what_is_no_checkpoint_gives_one_error_message(tmp_path):
    (tmp_path / "c.h5").write_bytes(b"no weights")
    with pytest.raises(SeparatorError, match="not a Keras checkpoint"):
        load_keras_unet(tmp_path / "c.h5")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.attrs["layer_names"] = np.array([], "S1")
    with pytest.raises(SeparatorError, match="does not contain the convolutions"):
        load_keras_unet(tmp_path / "d.h5")
