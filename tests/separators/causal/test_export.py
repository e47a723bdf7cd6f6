"""The export of networks to ONNX."""

import numpy as np
import pytest
from causal_networks import no_hints, spectrum
from requirements import require_package
from torch_runtime import TorchRuntime

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal import export
from stream_sep.separators.causal.features import FEATURES, FeatureExtractor
from stream_sep.separators.causal.staggered_inference import StaggeredInference
from stream_sep.separators.weight_file import read_metadata


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny-int8.safetensors", "tiny-hybrid.safetensors"])
def test_export_is_one_step_to_other_programs(weights, tmp_path, name):
    onnxruntime = require_package("onnxruntime", "train")
    require_package("onnx", "train")
    assert export.export_onnx(weights / name, tmp_path / "x.onnx") < 1e-5
    step = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    described = step.get_modelmeta().custom_metadata_map
    assert {key: described[key] for key in ("kind", "size")} == {
        key: read_metadata(weights / name)[0][key] for key in ("kind", "size")
    }
    runtime = TorchRuntime(weights / name)
    inference, meter = StaggeredInference(runtime), FeatureExtractor(runtime.size)
    state = [each for of_stage in runtime.initial_state() for each in of_stage]
    names = [f"memory{number}" for number in range(1, len(state) + 1)]
    memory, features = meter.initial_state(), np.zeros((1, FEATURES, meter.points), np.float32)
    for hop in range(20):
        spectra = spectrum(runtime, hop)
        meter.compute(spectra, memory, features, meter.workspace())
        given = {"features": features[None], "hints": no_hints(runtime)[None], **dict(zip(names, state, strict=True))}
        output, *state = step.run(("corrections", *(f"{name}_after" for name in names)), given)
        np.testing.assert_allclose(output[0, 0], inference.step(spectra, no_hints(runtime)), atol=1e-5)


def test_export_that_differs_leaves_no_file(weights, tmp_path, monkeypatch):
    require_package("onnxruntime", "train")
    require_package("onnx", "train")
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(SeparatorError, match="differs"):
        export.export_onnx(weights / "tiny.safetensors", tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []
