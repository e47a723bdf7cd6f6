"""Sound systems that do not respond any more: an engine on them stops all the same."""

import threading

import pytest

from stream_sep.backends import devices
from stream_sep.backends.audio_device import AudioDevice
from stream_sep.backends.jack import JackBackend
from stream_sep.backends.portaudio import PortAudioBackend


@pytest.fixture
def hang():
    """Wait until the test has ended."""
    released = threading.Event()
    yield lambda: released.wait(100)
    released.set()


def stops(backend):
    """Whether ``backend`` stops."""
    thread = threading.Thread(target=backend.stop, daemon=True)
    thread.start()
    thread.join(30)
    return not thread.is_alive()


def test_jack_server_that_does_not_respond_is_left_and_reported(monkeypatch, hang):
    class Session:
        name, sample_rate, block_size = "stream_sep", 44100, 128

        def leave(self):
            hang()

    monkeypatch.setattr("stream_sep.backends.jack.JackSession", lambda _name: Session())
    messages = []
    assert stops(JackBackend(report=messages.append))
    assert messages == ["the JACK server does not respond, so that its client was not closed"]


def test_sound_card_that_does_not_respond_is_left_as_it_is(monkeypatch, hang):
    device = AudioDevice(
        index=0,
        name="card",
        inputs=2,
        outputs=2,
        host_api="ALSA",
        default_sample_rate=44100,
        is_default_input=True,
        is_default_output=True,
    )
    monkeypatch.setattr(devices, "list_devices", lambda: [device])
    monkeypatch.setattr("stream_sep.backends.portaudio.unsupported_reason", lambda *_: None)
    backend = PortAudioBackend()
    backend._state, backend._watcher = "in use", threading.Thread(target=hang, daemon=True)
    backend._watcher.start()
    assert stops(backend)
    assert backend._state == "in use"
