"""``devices``: names of devices and messages are printed as they are, brackets included."""

import pytest

from stream_sep.backends.devices import AudioDevice, JackPort
from stream_sep.errors import DeviceError


@pytest.fixture
def found(monkeypatch):
    """Sets the devices and the JACK ports, or the error in their place."""

    def find(devices, ports):
        def list_ports():
            if isinstance(ports, Exception):
                raise ports
            return ports

        monkeypatch.setattr("stream_sep.backends.devices.list_devices", lambda: devices)
        monkeypatch.setattr("stream_sep.backends.devices.list_jack_ports", list_ports)

    return find


def test_brackets_in_names_are_printed(command, found):
    device = AudioDevice(
        3, "Built-in [jack] Audio", "JACK [pipewire]", 2, 2, 48000, is_default_input=True, is_default_output=False
    )
    found([device], [JackPort("a [bold] port:out", "output", is_physical=True)])
    code, output, _ = command("devices")
    assert code == 0
    assert "Built-in [jack] Audio" in output
    assert "JACK [pipewire]" in output
    assert "JACK output ports: a [bold] port:out" in output


def test_the_extra_of_a_hint_is_printed(command, found):
    found([], DeviceError('no JACK client; run: python -m pip install "stream-sep[jack]"'))
    code, output, _ = command("devices")
    assert code == 0
    assert "no audio devices" in output
    assert 'no JACK ports (no JACK client; run: python -m pip install "stream-sep[jack]")' in output
