"""``stream-sep web``: paired devices, listed and revoked."""

import pytest
from typer.testing import CliRunner

from bridge.web.live.pairing import Devices
from stream_sep.cli import app
from stream_sep.errors import BridgeError


@pytest.fixture
def devices(tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.web.live.pairing.devices_file", lambda: tmp_path / "devices.json")
    return Devices()


def run(*arguments):
    return CliRunner().invoke(app, ["web", *arguments])


def test_empty_list_of_devices_shows_how_to_pair(devices):
    assert devices.all() == ()
    assert "--web-bind" in run("devices").output


def test_device_is_listed_and_revoked_by_its_id(devices):
    devices.add("view", "Safari on iPhone")
    [device] = devices.all()
    listed = run("devices").output
    for word in (device.id, "Safari on iPhone", "view"):
        assert word in listed
    assert "revoked Safari on iPhone" in run("revoke", device.id).output
    assert devices.all() == ()


def test_revoke_unknown_id_names_those_there_are(devices):
    devices.add("control", "Chrome")
    error = run("revoke", "nobody").exception
    assert isinstance(error, BridgeError)
    assert devices.all()[0].id in str(error)
