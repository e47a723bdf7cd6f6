"""Options of an engine that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from stream_sep.cli.arguments import complete_preset

OutputDevice = Annotated[str, typer.Option("--output", "-o", help="output device: number or part of its name")]
SampleRate = Annotated[int, typer.Option(help="sample rate in Hz")]
BlockSize = Annotated[int, typer.Option(help="frames per block")]
Outputs = Annotated[str, typer.Option(help="channel map, such as main=1,vocals=3 (default: main=1)")]
Backend = Annotated[str, typer.Option(help="portaudio, or jack for named ports")]
OnFailure = Annotated[
    str, typer.Option(help="what to play while the separator is down: dry, mute, or fade (dry, fading out)")
]
StemGain = Annotated[list[str] | None, typer.Option("--set", help="CONTROL=VALUE, such as vocals=-60 (dB)")]
PresetName = Annotated[
    str, typer.Option(help="preset to start with, such as karaoke, or a file", autocompletion=complete_preset)
]
EffectLatency = Annotated[int | None, typer.Option(help="latency in frames reserved for effects added later", min=0)]
ReaStream = Annotated[str, typer.Option(help="HOST[:PORT] to send the stems to, for REAPER's ReaStream")]
AutoConnect = Annotated[bool, typer.Option(help="with JACK: connect to the system's ports")]
