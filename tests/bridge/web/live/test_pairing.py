"""Keys pair for ten minutes, devices stay for ninety days, and nothing readable is kept of either."""

import json

import pytest

from bridge.web.live.pairing import DEVICE_SECONDS, KEY_SECONDS, Devices, Pairing
from stream_sep.errors import BridgeError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "devices.json"


def test_key_in_time_pairs_and_the_device_keeps_its_role(path):
    pairing = Pairing(Devices(path))
    for role in ("control", "view"):
        token, given = pairing.pair(pairing.new_key(role).text, "Safari on iPhone")
        assert given == role == pairing.device(token).role
    assert len({device.id for device in Devices(path).all()}) == 2


@pytest.mark.parametrize("text", ["", "x" * 22, "ü"])
def test_wrong_key_pairs_no_device(path, text):
    pairing = Pairing(Devices(path))
    pairing.new_key()
    assert pairing.pair(text, "Chrome") is None
    assert not path.exists()


def test_key_expires_after_ten_minutes(path):
    now = [0.0]
    pairing = Pairing(Devices(path), clock=lambda: now[0])
    key = pairing.new_key().text
    now[0] = KEY_SECONDS - 1
    assert pairing.pair(key, "Chrome") is not None
    now[0] = KEY_SECONDS
    assert pairing.pair(key, "Chrome") is None


def test_read_only_grants_no_more_than_a_view(path):
    token, _ = pair(Pairing(Devices(path)))
    read_only = Pairing(Devices(path), read_only=True)
    assert read_only.device(token).role == "view"
    assert pair(read_only)[1] == "view"


def pair(pairing):
    return pairing.pair(pairing.new_key("control").text, "Chrome")


def test_device_expires_after_ninety_days(path):
    now = [1e9]
    devices = Devices(path, clock=lambda: now[0])
    token = devices.add("control", "Chrome")
    now[0] += DEVICE_SECONDS - 1
    assert devices.find(token) is not None
    now[0] += 1
    assert devices.find(token) is None


def test_file_holds_no_token_and_only_its_owner_can_read_it(path):
    token = Devices(path).add("control", "Chrome")
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())[0]["name"] == "Chrome"


def test_file_that_others_can_read_is_refused(path):
    devices = Devices(path)
    devices.add("control", "Chrome")
    path.chmod(0o644)
    with pytest.raises(BridgeError, match="chmod 600"):
        devices.all()


def test_damaged_file_is_refused_with_a_remedy(path):
    path.parent.mkdir()
    path.write_text('[{"id": 1}]')
    path.chmod(0o600)
    with pytest.raises(BridgeError, match="pair the devices again"):
        Devices(path).all()


def test_revoked_device_is_let_in_no_more(path):
    devices = Devices(path)
    token = devices.add("control", "Chrome")
    devices.revoke(devices.find(token).id)
    assert devices.find(token) is None
    with pytest.raises(BridgeError, match="none is paired"):
        devices.revoke("abc")
