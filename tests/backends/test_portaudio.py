"""PortAudio with real callbacks, on a JACK server with no sound card, and its error messages."""

import queue
import subprocess
import sys

import pytest
import waiting

from stream_sep import ConfigError, DeviceError, Engine, EngineConfig
from stream_sep.backends import devices
from stream_sep.backends.audio_device import AudioDevice
from stream_sep.backends.devices import find_device, list_devices
from stream_sep.backends.portaudio import PortAudioBackend
from stream_sep.backends.portaudio_library import portaudio

RATE = 44100  # of the server in conftest.py
PASSTHROUGH = EngineConfig(model="passthrough", worker="thread", slack=2048)


def device(index, name, inputs=2, outputs=2, **settings):
    usual = {"host_api": "ALSA", "default_sample_rate": 48000, "is_default_input": False, "is_default_output": False}
    return AudioDevice(index=index, name=name, inputs=inputs, outputs=outputs, **(usual | settings))


@pytest.fixture
def machine(monkeypatch):
    """Pretend this machine has the devices given, and that they can do anything."""

    def pretend(*given):
        monkeypatch.setattr(devices, "list_devices", lambda: list(given))
        monkeypatch.setattr("stream_sep.backends.portaudio.unsupported_reason", lambda *_: None)

    return pretend


@pytest.mark.usefixtures("portaudio_on_jack")
def test_the_device_is_listed():
    (system,) = list_devices()
    assert (system.name, system.inputs, system.outputs) == ("system", 8, 12)
    assert system.default_sample_rate == RATE
    assert system.is_default_input
    assert system.is_default_output


@pytest.mark.usefixtures("portaudio_on_jack")
def test_portaudio_that_ended_is_started_again_on_request():
    portaudio()._terminate()
    assert [found.name for found in list_devices()] == ["system"]


@pytest.mark.usefixtures("portaudio_on_jack")
@pytest.mark.parametrize("query", [None, 0, "0", "SYSTEM", "jack system", "system, JACK Audio Connection Kit"])
def test_a_device_is_found_by_number_or_by_words(query):
    assert find_device(query, "output").index == 0


@pytest.mark.usefixtures("portaudio_on_jack")
def test_real_callbacks_run_and_lose_nothing():
    backend = PortAudioBackend(outputs={"main": 1, "vocals": 3, "drums": 11})
    with Engine(backend, PASSTHROUGH) as engine:
        waiting.until(lambda: engine.stats().counters["frames"] > RATE)
        assert engine.stats().late_hops == 0
        assert engine.latency.device > 0
    assert backend.output_map(engine.stems) == (0, 1, 2, 3, -1, -1, -1, -1, -1, -1, 4, 5)


@pytest.mark.usefixtures("portaudio_on_jack")
def test_a_missing_device_is_refused_with_a_list_of_devices():
    with pytest.raises(DeviceError, match=r"no input device 'kazoo'.*0 'system'.*stream-sep devices"):
        PortAudioBackend(input="kazoo")
    with pytest.raises(DeviceError, match=r"no device 99; output devices: 0 'system'"):
        PortAudioBackend(output=99)


@pytest.mark.usefixtures("portaudio_on_jack")
def test_a_rate_the_device_cannot_do_is_refused_with_one_it_can():
    with pytest.raises(DeviceError, match=r"does not support 1234567 Hz output.*try 44100 Hz"):
        PortAudioBackend(sample_rate=1234567)


@pytest.mark.usefixtures("portaudio_on_jack")
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"outputs": {"main": 12}}, DeviceError, "has 12 output channels, not 13"),
        ({"input_channels": (8, 9)}, DeviceError, "has 8 input channels, not 9"),
        ({"input_channels": (0, 1)}, ConfigError, "counted from 1"),
        ({"outputs": {"main": 0}}, ConfigError, "channel 0 of 'main' is below 1"),
        ({"outputs": {"main": 1, "vocals": 2}}, ConfigError, "'main' and 'vocals' both use output channel 2"),
        ({"block_size": 0}, ConfigError, "block size 0"),
    ],
)
def test_channels_that_are_not_there_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        PortAudioBackend(**settings)


@pytest.mark.usefixtures("portaudio_on_jack")
def test_a_stem_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"no stem 'kazoo'.*main, vocals"):
        Engine(PortAudioBackend(outputs={"kazoo": 1}), PASSTHROUGH)


@pytest.mark.usefixtures("portaudio_on_jack")
def test_playback_without_anything_to_play_is_refused():
    with pytest.raises(ConfigError, match="source"), Engine(PortAudioBackend(playback_only=True), PASSTHROUGH):
        pass


@pytest.mark.usefixtures("portaudio_on_jack")
def test_a_stream_that_ends_by_itself_is_opened_again_and_counters_go_on():
    messages = queue.SimpleQueue()
    backend = PortAudioBackend(report=messages.put)
    with Engine(backend, PASSTHROUGH) as engine:
        backend._streams[0].abort()
        assert "'system' is gone; waiting" in messages.get(timeout=waiting.PATIENCE)
        before = engine.stats().counters["blocks"]
        assert "'system' is back" in messages.get(timeout=waiting.PATIENCE)
        waiting.until(lambda: engine.stats().counters["blocks"] > before)


def test_a_mono_microphone_feeds_both_sides(machine):
    machine(device(0, "mic", inputs=1))
    backend = PortAudioBackend()
    assert (backend.inputs, backend.input_map) == (1, (0, 0))


def test_other_input_channels_can_be_taken(machine):
    machine(device(0, "card", inputs=8))
    backend = PortAudioBackend(input_channels=(6, 5))
    assert (backend.inputs, backend.input_map) == (6, (5, 4))


def test_two_clocks_and_their_latency_are_reported(machine):
    machine(device(0, "mic", outputs=0), device(1, "speaker", inputs=0))
    messages = []
    assert PortAudioBackend(report=messages.append)._resampler.reserve == 882
    assert "'mic' and 'speaker' have separate clocks" in messages[0]
    assert "20 ms of latency" in messages[0]
    assert PortAudioBackend(one_clock=True)._resampler is None
    assert PortAudioBackend(playback_only=True)._resampler is None


@pytest.mark.parametrize("drift_ms", [0.0, 4.3, 1000.0, float("nan")])
def test_a_latency_between_clocks_that_cannot_work_is_refused(machine, drift_ms):
    machine(device(0, "mic", outputs=0), device(1, "speaker", inputs=0))
    with pytest.raises(ConfigError, match=r"ms is not from 4\.4 to 186"):
        PortAudioBackend(drift_ms=drift_ms)


@pytest.fixture
def two_clocks(monkeypatch):
    """Have the one device of the server taken for two."""
    monkeypatch.setattr("stream_sep.backends.portaudio._share_clock", lambda *_: False)


@pytest.mark.usefixtures("portaudio_on_jack", "two_clocks")
def test_two_streams_carry_the_sound_between_two_clocks():
    with Engine(backend := PortAudioBackend(), PASSTHROUGH) as engine:
        record = backend._resampler.record
        assert engine.latency.drift == backend._resampler.reserve
        waiting.until(lambda: record["locked"][0] == 1 and record["read"][0] > RATE // 2)
        waiting.until(lambda: engine.stats().counters["frames"] > 2 * RATE)
        assert engine.stats().late_hops == 0


@pytest.mark.usefixtures("portaudio_on_jack", "two_clocks")
def test_an_input_that_goes_away_is_opened_again_with_its_output():
    messages = queue.SimpleQueue()
    with Engine(backend := PortAudioBackend(report=messages.put), PASSTHROUGH) as engine:
        assert "separate clocks" in messages.get(timeout=waiting.PATIENCE)
        backend._streams[1].abort()
        assert "'system' is gone; waiting" in messages.get(timeout=waiting.PATIENCE)
        assert "'system' is back" in messages.get(timeout=waiting.PATIENCE)
        before = engine.stats().counters["blocks"]
        waiting.until(lambda: engine.stats().counters["blocks"] > before)
        waiting.until(lambda: backend._resampler.record["locked"][0] == 1)


def test_two_clients_of_one_jack_share_its_clock(machine):
    machine(device(0, "system", host_api="JACK"), device(1, "mixer", host_api="JACK"))
    PortAudioBackend(input="mixer", output="system")


def test_words_that_fit_several_devices_are_refused(machine):
    machine(device(0, "USB Audio"), device(1, "USB Microphone"))
    with pytest.raises(DeviceError, match=r"'usb' matches several.*0 'USB Audio'.*1 'USB Microphone'"):
        find_device("usb", "input")


def test_a_device_without_such_channels_is_refused(machine):
    machine(device(0, "mic", outputs=0), device(1, "speaker"))
    with pytest.raises(DeviceError, match=r"device 0, 'mic', has no output; output devices: 1 'speaker'"):
        find_device(0, "output")


def test_the_default_device_is_used_unless_another_is_requested(machine):
    machine(device(0, "first"), device(1, "usual", is_default_input=True))
    assert find_device(None, "input").name == "usual"
    assert find_device(None, "output").name == "first"


def test_machine_without_devices_is_reported(machine):
    machine()
    with pytest.raises(DeviceError, match="no output device that PortAudio sees"):
        PortAudioBackend()


def test_a_missing_portaudio_is_named_with_a_remedy(monkeypatch):
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    with pytest.raises(DeviceError, match=r"PortAudio library not found.*apt install libportaudio2"):
        list_devices()


OUTLIVE_THE_SERVER = """
import os, signal, sys, time
from stream_sep import Engine, EngineConfig
from stream_sep.backends.portaudio import PortAudioBackend
from stream_sep.backends.portaudio_library import portaudio
config = EngineConfig(model="passthrough", worker="thread", slack=2048)
messages = []
with Engine(PortAudioBackend(report=messages.append), config):
    os.kill(int(sys.argv[1]), signal.SIGTERM)
    limit = time.monotonic() + 60
    while not messages and time.monotonic() < limit:
        time.sleep(0.05)
print(*messages)
"""


@pytest.mark.usefixtures("jackd")
def test_a_jack_server_that_dies_is_reported_and_does_not_hang_the_end(start_jackd, monkeypatch):
    # in its own process: PortAudio is of no use afterwards
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name := "stream_sep_short_lived")
    with start_jackd(name) as server:
        command = [sys.executable, "-c", OUTLIVE_THE_SERVER, str(server.pid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "the JACK server is gone: start it again" in done.stdout
