"""``stream-sep devices``: the audio devices and JACK ports of this machine."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_sep.errors import DeviceError


def devices() -> None:
    """List audio devices and JACK ports."""
    from stream_sep.backends.devices import list_devices, list_jack_ports

    console = Console(soft_wrap=True)
    table = Table("number", "name", "driver", "in", "out", "rate", "default", box=None)
    found = list_devices()
    for device in found:
        marks = [mark for mark, on in (("in", device.is_default_input), ("out", device.is_default_output)) if on]
        sizes = (str(device.inputs), str(device.outputs), f"{device.default_sample_rate:.0f}")
        table.add_row(str(device.index), escape(device.name), escape(device.host_api), *sizes, " ".join(marks))
    console.print(table if found else "no audio devices")
    try:
        ports = list_jack_ports()
    except DeviceError as error:
        console.print(f"no JACK ports ({error})", highlight=False, markup=False)
        return
    for direction, meaning in (("output", "JACK output ports"), ("input", "JACK input ports")):
        names = ", ".join(port.name for port in ports if port.direction == direction)
        console.print(f"{meaning}: {names}", highlight=False, markup=False)
