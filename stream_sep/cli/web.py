"""``stream-sep web``: list and revoke the devices that are paired with the live page."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stream_sep.cli.app import App

app = App("List and revoke devices that are paired with the live page.")


@app.command("devices")
def list_devices() -> None:
    """List the paired devices."""
    from bridge.web.live.pairing import Devices, devices_file

    devices = Devices().all()
    if not devices:
        print("no device is paired; live --web-bind 0.0.0.0 shows a code to scan")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "device", "may", "paired"):
        table.add_column(heading)
    for device in devices:
        day = dt.datetime.fromtimestamp(device.paired_at, dt.UTC).date()
        table.add_row(device.id, device.name, "move faders" if device.role == "control" else "view", str(day))
    Console().print(table)
    print(f"kept in {devices_file()}")


@app.command("revoke")
def revoke(device: Annotated[str, typer.Argument(help="id of the device, as web devices lists it")]) -> None:
    """Revoke a device; it is disconnected within seconds."""
    from bridge.web.live.pairing import Devices

    gone = Devices().revoke(device)
    print(f"revoked {gone.name} ({gone.id})")
