"""Mixes of stored stems, as in the player: with the engine's fader law."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.web.service import claims
from bridge.web.service.disk import max_bytes, require_disk
from bridge.web.service.downloads import not_whole
from bridge.web.service.files import SOURCE
from bridge.web.service.requests import NewMix, Strip
from bridge.web.service.tables import Song
from stream_sep.control.levels import SILENCE_DB
from stream_sep.files.formats import AudioFormat
from stream_sep.files.stored_stems import render_mix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.web.service.claims import Claim
    from bridge.web.service.context import Service
    from bridge.web.service.lease import Lease


def render_mix_job(service: Service, claimed: Claim, lease: Lease) -> None:
    """Render the mix of a job to a file beside the stems.

    Args:
        service: the service.
        claimed: the claimed job.
        lease: its lease.

    Raises:
        Problem: the stems were separated again, or deleted, or the disk is full.
        StreamSepError: the file cannot be written.
        StopWorkError: it was cancelled, lost, or the worker has to stop.
    """
    mix = NewMix(**{name: claimed.settings[name] for name in NewMix.model_fields})
    with service.database.read() as session:
        song = session.get_one(Song, claimed.song_id)
    if song.job_id is None:
        raise not_whole()
    require_disk(service, max_bytes(claimed.settings["end_frame"] - mix.first_frame))
    folder = service.data.stems(song.id, song.job_id)
    name = f"{claimed.job_id}.{mix.format}"
    render_mix(
        {stem: folder / f"{stem}.flac" for stem in song.stems},
        service.data.mix(song.id, name),
        AudioFormat(mix.format),
        gains_db=levels(mix.strips, song.stems, mix.master_db),
        pans={stem: strip.pan for stem, strip in mix.strips.items()},
        first=mix.first_frame,
        last=mix.end_frame,
        tags_from=service.data.song(song.id) / SOURCE,
        report=lambda share: lease.report("pack", share),
    )
    with service.database.write() as session:
        claims.finish(service, session, claimed, "done", result=name)


def levels(strips: Mapping[str, Strip], stems: Sequence[str], master_db: float) -> dict[str, float]:
    """Return each stem's level in dB: fader and master added, silence where it is muted or another is soloed.

    Args:
        strips: fader, mute, solo and pan by stem.
        stems: names of the stems.
        master_db: level of the master fader.

    >>> levels({"drums": Strip(gain_db=-6), "bass": Strip(mute=True)}, ["drums", "bass"], -2)
    {'drums': -8.0, 'bass': -90.0}
    >>> levels({"drums": Strip(solo=True)}, ["drums", "bass"], 0)
    {'drums': 0.0, 'bass': -90.0}
    """
    any_solo = any(strip.solo for strip in strips.values())
    found = {}
    for stem in stems:
        strip = strips.get(stem, Strip())
        closed = strip.mute or (any_solo and not strip.solo) or min(strip.gain_db, master_db) <= SILENCE_DB
        found[stem] = SILENCE_DB if closed else float(strip.gain_db + master_db)
    return found
