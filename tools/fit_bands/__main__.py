"""Fit the constants of the separator `bands`: from clips whose stems are known to ``table.py``.

Run it as ``python tools/fit_bands CLIPS_FOLDER``; it rewrites ``stream_sep/separators/bands/table.py``, or
the file ``--out``. The shipped table came from the train part of MUSDB18's seven-second previews (Rafii,
Liutkus, Stoeter, Mimilakis and Bittner 2017), 94 files ``*.stem.mp4``; they may be used for education, not for sale.
Every second one by name is used for the fit; the others are held out, to score the table.

It needs ffmpeg, and torch for its gradients: ``pip install -e ".[demucs]"``. One process and one thread do the work,
a few minutes in about 1 GB; nothing in it is random, so that the same machine gives the same table every time.
"""

import argparse
from pathlib import Path

import clips
import listing
import measurements
import numpy as np

from stream_sep.errors import StreamSepError
from stream_sep.separators.bands import table as bands_table

try:
    import descent
except ImportError as error:
    raise SystemExit(f"{error}: see the first lines of {__file__} for what to install") from error


def fit(folder: Path) -> np.ndarray:
    """Return the table, ``[mid or side][cue][stem][break point]``, that suits the clips of a folder best."""
    parts = []
    for name, (share, sounds) in clips.training(folder).items():
        parts.append((share, measurements.measure_all(sounds)))
        print(f"{name}: {len(parts[-1][1].energies)} clips", flush=True)
    return descent.descend(parts, report=lambda line: print(line, flush=True))


def main() -> None:
    """Fit, compare and write."""
    parser = argparse.ArgumentParser(prog="fit_bands", description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, help="folder of songs, as `stream-sep evaluate` takes it")
    parser.add_argument("--out", type=Path, default=Path(bands_table.__file__), help="file to write")
    arguments = parser.parse_args()
    try:
        table = fit(arguments.clips)
    except StreamSepError as error:
        parser.exit(1, f"{error}\n")
    before = np.array(bands_table.TABLE)
    if before.shape == table.shape:
        change = np.abs(table - before)
        print(f"against the table in use: largest change {change.max():.3f}, mean {change.mean():.4f}")
    arguments.out.write_text(listing.rewritten(table), encoding="utf-8")
    print(arguments.out)


if __name__ == "__main__":
    main()
