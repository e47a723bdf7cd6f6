"""Take the vocals out with the plug-in, in a chain of Pedalboard effects; `stream-sep plugin install` comes first."""

import time

import numpy as np
from pedalboard import Compressor, Gain, Pedalboard, load_plugin

from bridge.plugin.install import plugin_paths
from stream_sep import load_demo_song

RATE = 44100


def main() -> None:
    """Render the demo song without its vocals, then quieter and compressed."""
    path = plugin_paths()["vst3"]
    if not path.exists():
        print("the plug-in is not installed: stream-sep plugin install")
        return
    song = load_demo_song().mix[:, : 5 * RATE]
    plugin = load_plugin(str(path))
    plugin.vocals_mute = True
    started = time.monotonic()
    instrumental = plugin(song, RATE)
    print(f"without vocals at {5 / (time.monotonic() - started):.1f} times real time")
    print(f"level of what was removed: {decibels(song - instrumental):.1f} dB")

    chain = Pedalboard([plugin, Compressor(threshold_db=-20, ratio=3), Gain(-3)])
    print(f"through the chain: {decibels(chain(song, RATE)):.1f} dB")


def decibels(sound: np.ndarray) -> float:
    """Return the mean level of ``sound``."""
    return float(10 * np.log10(np.mean(sound**2) + 1e-12))


if __name__ == "__main__":
    main()
