"""Access to sounddevice: its private functions that are needed, and its errors as `DeviceError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_sep.backends.callback import capture_callback, portaudio_callback
from stream_sep.errors import DeviceError, reason

if TYPE_CHECKING:
    from stream_sep.backends.audio_device import AudioDevice


def portaudio() -> Any:  # noqa: ANN401 - a module without types
    """Return the sounddevice module, with PortAudio started.

    Raises:
        DeviceError: PortAudio is not installed, or does not start.
    """
    module = _library()
    if not module._initialized:  # noqa: SLF001 - ended, as by a rescan that failed
        _start(module)
    return module


def rescan() -> None:
    """Rescan the devices; every open stream of this process is lost.

    Raises:
        DeviceError: PortAudio does not start.
    """
    module = _library()
    # PortAudio finds devices only while it starts, and sounddevice has no public name for that
    if module._initialized:  # noqa: SLF001
        module._terminate()  # noqa: SLF001
    _start(module)


def _library() -> Any:  # noqa: ANN401 - a module without types
    try:
        import sounddevice  # noqa: PLC0415 - importing it starts PortAudio, which offline users may not have
    except OSError as error:
        raise DeviceError(f"{reason(error)}: install it with `apt install libportaudio2`, or the like") from error
    except Exception as error:
        if type(error).__name__ != "PortAudioError":
            raise
        raise _not_started(error) from error
    return sounddevice


def _start(module: Any) -> None:  # noqa: ANN401 - a module without types
    try:
        module._initialize()  # noqa: SLF001 - as above
    except module.PortAudioError as error:
        raise _not_started(error) from error


def _not_started(error: Exception) -> DeviceError:
    return DeviceError(f"PortAudio does not start: {error}; check the sound system")


def skip_terminate() -> None:
    """Skip Pa_Terminate at exit, as it would hang."""
    _library()._initialized = 0  # noqa: SLF001 - sounddevice ends PortAudio that many times at exit


def open_stream(
    module: Any,  # noqa: ANN401 - sounddevice has no types
    devices: tuple[int | None, int | None],
    channels: tuple[int, int],
    address: int,
    **settings: int,
) -> Any:  # noqa: ANN401 - sounddevice has no types
    """Open a stream that calls a compiled callback and never takes the GIL.

    Args:
        module: sounddevice.
        devices: numbers of the input and of the output; None leaves one out.
        channels: of the input and of the output.
        address: of the `AudioState`; of the `AdaptiveResampler`, where there is no output.
        settings: further arguments of sounddevice, such as ``samplerate``.

    Raises:
        DeviceError: the device does not open.
    """
    kind = "duplex" if None not in devices else "output" if devices[0] is None else "input"
    side = 1 if kind == "output" else 0
    callback = capture_callback() if kind == "input" else portaudio_callback()
    ffi = module._ffi  # noqa: SLF001 - only the base class takes C callbacks
    try:
        return module._StreamBase(  # noqa: SLF001
            kind,
            device=devices if kind == "duplex" else devices[side],
            channels=channels if kind == "duplex" else channels[side],
            dtype="float32",
            latency="low",
            callback=ffi.cast("PaStreamCallback*", callback.address),
            userdata=ffi.cast("void*", address),
            dither_off=True,
            **settings,
        )
    except module.PortAudioError as error:
        raise DeviceError(f"the device does not open: {error}; is another program using it?") from error


def is_active(stream: Any) -> bool:  # noqa: ANN401 - sounddevice has no types
    """Return whether PortAudio reports ``stream`` as active."""
    try:
        return bool(stream.active)
    except _library().PortAudioError:
        return False


def would_hang_on_close(stream: Any, device: AudioDevice) -> bool:  # noqa: ANN401 - sounddevice has no types
    """Return whether PortAudio would wait ten minutes for a dead JACK server before it closes ``stream``.

    Args:
        stream: the stream.
        device: its device.
    """
    return "JACK" in device.host_api and not stream.stopped and not is_active(stream)
