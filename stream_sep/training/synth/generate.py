"""Many songs of the band, several at a time; existing songs are skipped."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, wait
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.lowlevel.process_pool import process_pool
from stream_sep.training.synth.song import find_band, remove_parts, write_song

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make_songs(
    samples: Path,
    out: Path,
    *,
    songs: int,
    seed: int,
    report: Callable[[str], None],
    seconds: float = 33.0,
    jobs: int = 1,
) -> None:
    """Write songs 0 to ``songs - 1`` of a seed; each is the same however many are made, and at a time.

    Args:
        samples: MIDI songs and samples.
        out: folder for one folder per song.
        songs: how many.
        seed: which ones.
        report: callback that receives the name of every finished song.
        seconds: how long a song is, within a third.
        jobs: processes.

    Raises:
        AudioFileError: samples are missing or cannot be read.
        ConfigError: a package is missing, or a number makes no sense.
    """
    if songs < 1 or jobs < 1 or seconds <= 0:
        raise ConfigError(f"{songs} songs of {seconds:g} s in {jobs} jobs are not possible; use at least 1 of each")
    find_band(samples)
    out.mkdir(parents=True, exist_ok=True)
    if jobs == 1:
        for number in range(songs):
            report(write_song(samples, out, seed, number, seconds).name)
        return
    try:
        with process_pool(jobs) as pool:
            waiting = {pool.submit(write_song, samples, out, seed, number, seconds) for number in range(songs)}
            for future in waiting:
                future.add_done_callback(
                    lambda done: report("") if not (done.cancelled() or done.exception()) else None
                )
            for future in wait(waiting, return_when=FIRST_EXCEPTION).done:
                future.result()
    except BaseException:
        remove_parts(out, seed, songs)  # of killed processes
        raise
