"""Hop and latency of the plug-in's separators at each sample rate, as a table for the native code.

A project must always have the same latency, with the engine or without: so it is compiled in. Run
``python -m bridge.plugin.models`` after a model's hop or latency changed.
"""

from __future__ import annotations

from pathlib import Path

from bridge.plugin.session import MODELS
from stream_sep.audio.latency import fixed_prefill
from stream_sep.separators import load_separator

RATES = (22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000)
"""Sample rates with their own entries; at others the plug-in uses a bound."""

_FILE = Path(__file__).parent / "native" / "models.def"
_HEAD = """\
// Hop and latency of the separators at each sample rate. Written by `python -m bridge.plugin.models`; do not edit.
//
// MODEL(name, rate, hop, latency)
"""


def models_table() -> str:
    """Return the text of ``native/models.def``, from the separators as they are."""
    entries = []
    for name in MODELS:
        for rate in RATES:
            separator = load_separator(name, rate)
            entries.append(f'MODEL("{name}", {rate}, {separator.hop}, {separator.latency})\n')
    return _HEAD + "".join(entries)


def plugin_latency(model: str, sample_rate: int, block_size: int) -> int:
    """Return the frames between the plug-in's input and its output, without a reserve.

    Args:
        model: the separator.
        sample_rate: frames per second, one of `RATES`.
        block_size: frames of the longest block.
    """
    separator = load_separator(model, sample_rate)
    return fixed_prefill(block_size, separator.hop, sample_rate) + separator.latency


if __name__ == "__main__":
    _FILE.write_text(models_table(), encoding="utf-8")
