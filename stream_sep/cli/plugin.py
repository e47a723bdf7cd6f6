"""``stream-sep plugin``: install, list and remove the plug-in for DAWs."""

from __future__ import annotations

from typing import Annotated

import typer

from stream_sep.cli.app import App

app = App("Install, list and remove the DAW plug-in: VST3, CLAP, LV2.")

_FORMAT_HELP = "vst3, clap or lv2, comma-separated (default: all)"
_MENUS = """\
In your DAW:
  Ardour      right-click in a track's processor box > New Plugin > search "stream_sep" (first: Window > Plugin
              Manager > Discover New/Updated); bypass the track's panner, or it mixes the stems
  REAPER      Options > Preferences > Plug-ins > VST or CLAP > Re-scan, then FX > Add > search "stream_sep"
  Bitwig      Browser > Plug-ins > stream_sep
  other DAWs  rescan plug-ins; the manufacturer and the plug-in are called stream_sep
The separator starts by itself when the plug-in is loaded. docs/how-to/plugin.md has the first track step by step."""


@app.command()
def install(
    form: Annotated[str, typer.Option("--format", help=_FORMAT_HELP)] = "",
    *,
    warm: Annotated[
        bool, typer.Option(help="compile the audio code now, instead of when the DAW loads the plug-in")
    ] = True,
) -> None:
    """Install the plug-in for this user; it is compiled if no binary for this system is bundled."""
    from bridge.plugin.install import install_plugins

    for plugin in install_plugins(_formats(form)):
        print(f"installed {plugin.format}: {plugin.path}")
    if warm:
        from stream_sep.cli.startup import starting
        from stream_sep.engine.worker.separator_info import warm_up
        from stream_sep.separators import load_separator

        with starting("the separators"):
            for model in ("live", "instant"):
                warm_up(load_separator(model))
    print(_MENUS)


@app.command(name="list")
def list_formats() -> None:
    """List the plug-in formats and where they are installed."""
    from bridge.plugin.install import list_plugins

    for plugin in list_plugins():
        print(f"{plugin.format:5} {plugin.path if plugin.present else 'not installed'}")


@app.command()
def remove(form: Annotated[str, typer.Option("--format", help=_FORMAT_HELP)] = "") -> None:
    """Remove the plug-in."""
    from bridge.plugin.install import remove_plugins

    removed = remove_plugins(_formats(form))
    print("\n".join(f"removed {plugin.format}: {plugin.path}" for plugin in removed) or "nothing was installed")


def _formats(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",") if name.strip()]
