"""Connects control surfaces to the engine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from stream_sep.errors import BridgeError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.protocols import MixerControl, Surface
    from bridge.web.live.surface import LivePage
    from stream_sep.protocols import Block

OSC_PORT = 9137
WEB_PORT = 9190
_MAX_PORT = 65535
_MAX_METER_RATE = 100


@dataclass(frozen=True)
class SurfaceOptions:
    """The options of control surfaces on the command line.

    Attributes:
        osc_port: UDP port for OSC; 0 turns OSC off; None uses the default port if it is free.
        bind: address to listen on for OSC and OSCQuery; 0.0.0.0 for the whole network.
        osc_out: ``host:port`` of each program that receives every change.
        osc_prefix: prefix of every OSC address.
        meter_rate: meter messages per second.
        osc_trust: addresses and networks that OSC replies to without proof of receipt.
        oscquery_port: HTTP port for OSCQuery; 0 turns it off.
        oscquery_origins: origins of web pages that may use OSCQuery.
        web_port: TCP port of the faders for browsers; 0 turns them off.
        web_bind: address to serve browsers on; on any but 127.0.0.1 they pair with a key first.
        web_read_only: whether browsers may only view.
        midi: part of the name of each MIDI port; ``stream_sep`` opens a virtual one.
        midi_map: name or file of the map for all of them; chosen by the ports' names unless given.
        daws: DAWs to follow, each ``NAME`` or ``NAME@HOST``.
        daw_push: whether, on connect, the DAW's faders are set to the stems', in place of the reverse.
    """

    osc_port: int | None = None
    bind: str = "127.0.0.1"
    osc_out: tuple[str, ...] = ()
    osc_prefix: str = ""
    meter_rate: float = 20.0
    osc_trust: tuple[str, ...] = ()
    oscquery_port: int = 0
    oscquery_origins: tuple[str, ...] = ()
    web_port: int = 0
    web_bind: str = "127.0.0.1"
    web_read_only: bool = False
    midi: tuple[str, ...] = ()
    midi_map: str = ""
    daws: tuple[str, ...] = ()
    daw_push: bool = False


def check_surfaces(options: SurfaceOptions) -> None:
    """Validate the options before any device is opened.

    Raises:
        ConfigError: a port or rate out of its range, or an unknown DAW or MIDI map.
        BridgeError: an invalid target or network, or a package that the live page needs is missing.
    """
    from bridge.daws.surface import check_daw
    from bridge.network import network_filter, parse_target

    for name, port in (
        ("--osc-port", options.osc_port),
        ("--oscquery-port", options.oscquery_port),
        ("--web-port", options.web_port),
    ):
        if port is not None and not 0 <= port <= _MAX_PORT:
            raise ConfigError(f"{name} {port} is not from 0 to {_MAX_PORT}")
    if not 0 <= options.meter_rate <= _MAX_METER_RATE:
        raise ConfigError(f"--meter-rate {options.meter_rate:g} is not from 0 to {_MAX_METER_RATE}")
    for target in options.osc_out:
        parse_target(target)
    network_filter(options.osc_trust)
    for daw in options.daws:
        check_daw(daw.partition("@")[0])
    if options.web_port:
        from bridge.web.requirements import check_live_page

        check_live_page()
    if options.midi_map:
        from bridge.midi.map_files import load_map

        load_map(options.midi_map)


def build_surfaces(mixer: MixerControl, options: SurfaceOptions, report: Callable[[str], None]) -> list[Surface]:
    """Return the control surfaces of ``mixer``, not yet started.

    Raises:
        ConfigError: an invalid option.
        BridgeError: a package is missing.
    """
    check_surfaces(options)
    surfaces: list[Surface] = []
    if options.osc_port != 0:
        surfaces.append(_osc(mixer, options))
    if options.oscquery_port:
        from bridge.oscquery.server import OscQueryServer

        surfaces.append(
            OscQueryServer(
                mixer,
                options.bind,
                options.oscquery_port,
                osc_port=_osc_port(options),
                prefix=options.osc_prefix,
                meter_rate=options.meter_rate,
                origins=options.oscquery_origins,
            )
        )
    if options.web_port:
        from bridge.web.live.surface import LivePage

        page = LivePage(
            mixer, options.web_bind, options.web_port, read_only=options.web_read_only, meter_rate=options.meter_rate
        )
        surfaces.append(page)
    for port in options.midi:
        from bridge.midi.surface import MidiSurface

        surfaces.append(MidiSurface(mixer, port, options.midi_map or None, report=report))
    for daw in options.daws:
        from bridge.daws.surface import DawSurface

        name, _, host = daw.partition("@")
        surfaces.append(
            DawSurface(mixer, name, host=host or "127.0.0.1", push_on_connect=options.daw_push, report=report)
        )
    return surfaces


class ReaStreamTap:
    """Sends every stem, without the mix, by ReaStream; a tap for `EngineConfig`.

    Args:
        target: ``HOST`` or ``HOST:PORT``.
        sample_rate: frames per second.

    Raises:
        BridgeError: the host cannot be resolved.
        ConfigError: the port is not a number.
    """

    def __init__(self, target: str, sample_rate: int) -> None:
        from bridge.reastream import DEFAULT_PORT

        host, _, port = target.partition(":")
        if port and not port.isdecimal():
            raise ConfigError(f"--reastream {target!r} is not HOST or HOST:PORT")
        self._place = (host, int(port or DEFAULT_PORT))
        self._sample_rate = sample_rate
        self._open(channels=8)

    def __call__(self, block: Block) -> None:
        """Send the stems of ``block``, ``(2 * (1 + stems), frames)``."""
        stems = block[2:]
        if len(stems) != self._channels:
            self.close()
            self._open(channels=len(stems))
        self._sender.send(stems)

    def close(self) -> None:
        """Close the socket."""
        self._sender.close()

    def _open(self, channels: int) -> None:
        from bridge.reastream import ReaStreamSender

        self._channels = channels
        self._sender = ReaStreamSender(*self._place, channels=channels, sample_rate=self._sample_rate)


def start_surfaces(
    surfaces: list[Surface], options: SurfaceOptions, report: Callable[[str], None], stack: ExitStack
) -> list[Surface]:
    """Start ``surfaces``, to be stopped by ``stack``; return those that run.

    OSC on the default port is optional: if the port is in use, that is reported and playback continues.

    Raises:
        BridgeError: a requested surface cannot start.
    """
    running = []
    for surface in surfaces:
        try:
            surface.start()
        except BridgeError as error:
            if options.osc_port is not None or type(surface).__name__ != "OscServer":
                raise
            report(f"{error}; going on without OSC")
            continue
        stack.callback(surface.stop)
        running.append(surface)
        if type(surface).__name__ == "LivePage":
            _report_address(cast("LivePage", surface), report, read_only=options.web_read_only)
    return running


def _report_address(page: LivePage, report: Callable[[str], None], *, read_only: bool) -> None:
    from bridge.web.live.qr import qr_code

    link = page.link()
    if link == page.address:
        report(f"faders in a browser: {link}")
        return
    print(qr_code(link))
    report(f"faders in a browser: {link} for 10 minutes; in the terminal mixer, c shows a new code")
    if not read_only:
        report(f"to view only: {page.link('view')}")


def _osc(mixer: MixerControl, options: SurfaceOptions) -> Surface:
    from bridge.osc.server import OscServer

    return OscServer(
        mixer,
        options.bind,
        _osc_port(options),
        options.osc_out,
        meter_rate=options.meter_rate,
        prefix=options.osc_prefix,
        trust=options.osc_trust,
    )


def _osc_port(options: SurfaceOptions) -> int:
    return OSC_PORT if options.osc_port is None else options.osc_port
