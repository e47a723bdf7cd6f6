"""Whether the weights of a Demucs model are on this machine."""

import pytest
from requirements import require_package

from stream_sep.separators.demucs.local_weights import has_local_weights

require_package("demucs", "demucs")
HUB = "hub/checkpoints"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache folder of torch, and one of the hub."""
    import huggingface_hub.constants  # noqa: PLC0415 - comes with Demucs

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return tmp_path


def write(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"weights")


@pytest.mark.usefixtures("cache")
def test_empty_caches_have_no_weights():
    assert not has_local_weights("htdemucs")


def test_file_in_the_cache_of_torch_is_found(cache):
    write(cache / "torch" / HUB / "955717e8-8726e21a.th")
    assert has_local_weights("htdemucs")
    assert not has_local_weights("htdemucs_6s")


def test_model_of_four_networks_needs_all_four_files(cache):
    names = ("f7e0c4bc-ba3fe64a", "d12395a8-e57c48e6", "92cfc3b6-ef3bcb9c", "04573f0d-f3cf25b2")
    for name in names[:3]:
        write(cache / "torch" / HUB / f"{name}.th")
    assert not has_local_weights("htdemucs_ft")
    write(cache / "torch" / HUB / f"{names[3]}.th")
    assert has_local_weights("htdemucs_ft")


def test_download_from_the_hub_is_found_once_it_is_complete(cache):
    repository = cache / "hf" / "models--adefossez--HTDemucs"
    write(repository / "snapshots" / "abc" / "htdemucs.yaml")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert not has_local_weights("htdemucs")
    write(repository / "snapshots" / "abc" / "955717e8.safetensors")
    assert has_local_weights("htdemucs")


@pytest.mark.usefixtures("cache")
def test_unknown_model_has_no_weights():
    assert not has_local_weights("no-such-model")
