"""The audio devices of this machine, and the choice of one by number or part of its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_sep.backends.audio_device import AudioDevice
from stream_sep.backends.jack_session import open_client
from stream_sep.backends.portaudio_library import portaudio
from stream_sep.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_sep.backends.audio_device import Kind


@dataclass(frozen=True)
class JackPort:
    """One audio port of the JACK server.

    Attributes:
        name: its full name, such as ``system:capture_1``.
        direction: ``output`` for ports that others read from, ``input`` for those they write to.
        is_physical: whether it belongs to the sound card.
    """

    name: str
    direction: Kind
    is_physical: bool


def list_devices() -> list[AudioDevice]:
    """Return every device PortAudio found when it started.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    module = portaudio()
    apis = module.query_hostapis()
    # the default host API may lack devices, while another one, such as JACK, has them
    defaults = next((api for api in _default_first(module, apis) if api["devices"]), None)
    return [_device(row, apis, defaults) for row in module.query_devices()]


def list_jack_ports() -> list[JackPort]:
    """Return every audio port of the running JACK server.

    Raises:
        DeviceError: no JACK server, or no JACK client library.
    """
    client = open_client("stream_sep_list")
    try:
        ports = client.get_ports(is_audio=True)
        return [JackPort(p.name, "input" if p.is_input else "output", bool(p.is_physical)) for p in ports]
    finally:
        client.close()


def find_device(query: int | str | None, kind: Kind) -> AudioDevice:
    """Return the device that matches ``query``.

    Args:
        query: its number; or parts of its name and host API, such as ``"scarlett alsa"``; or None for the system's
            default.
        kind: ``input`` or ``output``.

    Raises:
        DeviceError: no match, several matches, or a device without channels of that kind.
    """
    devices = list_devices()
    usable = [device for device in devices if device.channels(kind)]
    if not usable:
        raise DeviceError(f"this machine has no {kind} device that PortAudio sees: connect one, or start JACK")
    if query is None:
        return _default(usable, kind)
    if isinstance(query, int) or query.isdecimal():
        return _numbered(int(query), devices, usable, kind)
    return _named(query, usable, kind)


def unsupported_reason(device: AudioDevice, kind: Kind, channels: int, sample_rate: int) -> str | None:
    """Return PortAudio's error message if ``device`` does not support these settings; None if it does.

    Args:
        device: the device.
        kind: ``input`` or ``output``.
        channels: how many.
        sample_rate: frames per second.
    """
    module = portaudio()
    check = module.check_input_settings if kind == "input" else module.check_output_settings
    try:
        check(device=device.index, channels=channels, dtype="float32", samplerate=sample_rate)
    except module.PortAudioError as error:
        return str(error)
    return None


def _default_first(module: Any, apis: Iterable[Any]) -> list[Any]:  # noqa: ANN401 - rows of sounddevice
    return sorted(apis, key=lambda api: api is not apis[module.default.hostapi])  # type: ignore[index]


def _device(row: Any, apis: Any, defaults: Any) -> AudioDevice:  # noqa: ANN401 - rows of sounddevice
    return AudioDevice(
        index=row["index"],
        name=row["name"],
        host_api=apis[row["hostapi"]]["name"],
        inputs=row["max_input_channels"],
        outputs=row["max_output_channels"],
        default_sample_rate=round(row["default_samplerate"]),
        is_default_input=row["index"] == defaults["default_input_device"],
        is_default_output=row["index"] == defaults["default_output_device"],
    )


def _default(usable: list[AudioDevice], kind: Kind) -> AudioDevice:
    defaults = (d for d in usable if (d.is_default_input if kind == "input" else d.is_default_output))
    return next(defaults, usable[0])


def _numbered(number: int, devices: list[AudioDevice], usable: list[AudioDevice], kind: Kind) -> AudioDevice:
    if not 0 <= number < len(devices):
        raise DeviceError(f"no device {number}; {_choices(usable, kind)}")
    if devices[number] not in usable:
        raise DeviceError(f"device {number}, {devices[number].name!r}, has no {kind}; {_choices(usable, kind)}")
    return devices[number]


def _named(query: str, usable: list[AudioDevice], kind: Kind) -> AudioDevice:
    words = query.lower().replace(",", " ").split()
    found = [d for d in usable if all(word in d.full_name.lower() for word in words)]
    exact = [d for d in found if query.lower() in {d.name.lower(), d.full_name.lower()}]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    if not found:
        raise DeviceError(f"no {kind} device {query!r}; {_choices(usable, kind)}")
    raise DeviceError(f"{query!r} matches several devices; {_choices(found, kind)}")


def _choices(devices: list[AudioDevice], kind: Kind) -> str:
    names = ", ".join(f"{d.index} {d.name!r} ({d.host_api})" for d in devices)
    return f"{kind} devices: {names}; run `stream-sep devices` for details"
