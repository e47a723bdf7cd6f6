"""Without a network, weights that are missing are missing at once."""

import socket

import pytest
from requirements import require_package

from stream_sep.errors import SeparatorError
from stream_sep.separators.demucs import offline
from stream_sep.separators.demucs.networks import load_network


@pytest.fixture
def tries(monkeypatch, tmp_path):
    """Cut the network; count the connections that are tried."""
    tried = []

    def refuse(*address, **_):
        tried.append(address)
        raise OSError(-2, "Name or service not known")

    for name in (*offline._OTHER_WAYS, "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tried


def test_missing_weights_fail_without_retries(tries, capfd):
    require_package("demucs", "demucs")
    from huggingface_hub import constants  # noqa: PLC0415 - an extra

    with pytest.raises(SeparatorError, match="not on this machine"):
        load_network("htdemucs_6s")
    assert len(tries) <= 3  # ours, and one of each place that has them
    assert "Retrying" not in capfd.readouterr().err
    assert not constants.HF_HUB_OFFLINE


def test_a_proxy_is_another_way(tries, monkeypatch):
    assert not offline.is_reachable()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert offline.is_reachable()
    assert len(tries) == 1
