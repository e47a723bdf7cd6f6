"""One separation, from the uploaded file to stems in the library; it can be killed at any point and restarted."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import soundfile
from sqlalchemy import delete

from bridge.web.service import claims, queue_events
from bridge.web.service.accounts_view import max_seconds_of
from bridge.web.service.crash import crash_point
from bridge.web.service.files import (
    COVER,
    MANIFEST,
    SOURCE,
    UPLOADED,
    digest_of,
    folder_bytes,
    move_into_place,
    remove,
    sync_tree,
)
from bridge.web.service.model_shelf import separator_for
from bridge.web.service.packing import PackedStem, pack_stem
from bridge.web.service.play_data import write_pictures
from bridge.web.service.requests import SeparationSettings
from bridge.web.service.sandbox import decode_song
from bridge.web.service.songs import fold_words
from bridge.web.service.tables import Song, StemFile, User
from stream_sep.files.tracks import Track

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.web.service.claims import Claim
    from bridge.web.service.context import Service
    from bridge.web.service.lease import Lease
    from stream_sep.files.progress import Progress
    from stream_sep.files.song_models import ModelShelf

READ, SEPARATE, PACK = "read", "separate", "pack"
_READ_SHARE, _PACK_SHARE = 0.02, 0.05  # of the whole work, for the progress bar


@dataclass(frozen=True)
class Separation:
    """A separation that a worker has claimed.

    Attributes:
        service: the service.
        claimed: the job.
        lease: its lease.
        shelf: the loaded model.
    """

    service: Service
    claimed: Claim
    lease: Lease
    shelf: ModelShelf

    def run(self) -> None:
        """Run the separation; completed steps are not repeated after a crash.

        Raises:
            Problem: the song cannot be read.
            StreamSepError: it cannot be separated.
            StopWorkError: it was cancelled, lost, or the worker has to stop.
        """
        self._remove_earlier_attempts()
        if not (self._published / MANIFEST).is_file():
            attempt = self.service.data.attempt(self.claimed.job_id, self.claimed.attempt)
            attempt.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._read(attempt)
                stems = self._separate(attempt)
                self._pack(attempt, stems)
            finally:
                remove(attempt)
        self._commit()

    def _remove_earlier_attempts(self) -> None:
        """Delete the files of killed workers on this job; a running one has lost its lease."""
        for folder in self.service.data.work.glob(f"{self.claimed.job_id}-*.tmp"):
            remove(folder)

    @property
    def _published(self) -> Path:
        return self.service.data.stems(self.claimed.song_id, self.claimed.job_id)

    @property
    def _source(self) -> Path:
        return self.service.data.song(self.claimed.song_id) / SOURCE

    @property
    def _cover(self) -> Path:
        return self._source.with_name(COVER)

    def _source_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self._source, self._cover) if path.is_file())

    def _read(self, attempt: Path) -> None:
        """Decode the upload, once; it is not read again."""
        self.lease.report(READ, 0.0)
        uploaded = self._source.with_name(UPLOADED)
        if not self._source.is_file():
            with self.service.database.read() as session:
                user = session.get_one(User, self.claimed.user_id)
                limit = max_seconds_of(self.service, session, user)
            decoded = decode_song(uploaded, attempt, limit, self.lease.check)
            sync_tree(attempt)
            if decoded.cover:
                move_into_place(attempt / COVER, self._cover)
            move_into_place(attempt / SOURCE, self._source)
        crash_point("after_read")
        if uploaded.is_file():
            self._store_source(digest_of(uploaded))
            remove(uploaded)
        self.lease.report(READ, _READ_SHARE)

    def _store_source(self, digest: str) -> None:
        """Store the properties of the decoded file, before the upload is deleted."""
        info = soundfile.info(self._source)
        with self.service.database.write() as session:
            claims.lock_claimed(session, self.claimed)
            song = session.get_one(Song, self.claimed.song_id)
            song.seconds, song.bytes = info.frames / info.samplerate, self._source_bytes()
            song.digest, song.cover = digest, self._cover.is_file()

    def _separate(self, attempt: Path) -> tuple[str, ...]:
        separator = separator_for(SeparationSettings(**self.claimed.settings), self.shelf)
        track = Track(self._source, attempt.absolute(), "stems")
        parts = separator.parts(track)
        stems = tuple(target.stem for target in separator.targets(track))
        announced = False

        def report(progress: Progress) -> None:
            nonlocal announced
            if progress.frames_ready and not announced:
                rate = soundfile.info(parts[0]).samplerate
                self._announce(stems, rate, progress.frames, attempt)
                announced = True
            whole = _READ_SHARE + progress.share * (1 - _READ_SHARE - _PACK_SHARE)
            self.lease.report(SEPARATE, whole, progress.frames_ready, progress.seconds_left)
            if progress.frames_ready:
                crash_point("first_window")

        separator.separate(track, report)
        return stems

    def _announce(self, stems: tuple[str, ...], rate: int, frames: int, folder: Path) -> None:
        """Store where the growing stems are, so that they can be played."""
        with self.service.database.write() as session:
            job = claims.lock_claimed(session, self.claimed)
            job.folder = folder.relative_to(self.service.data.root).as_posix()
            song = session.get_one(Song, job.song_id)
            if song.job_id is None:
                song.stems, song.sample_rate, song.frames = list(stems), rate, frames
            session.flush()
            queue_events.publish_job(self.service, session, job, song)

    def _pack(self, attempt: Path, stems: tuple[str, ...]) -> None:
        """Write the final stems, with pictures and a manifest, and rename their folder into place."""
        packed = attempt / "packed"
        packed.mkdir()
        made = self._pack_stems(attempt, packed, stems)
        write_pictures(packed, "peaks", [stem.peaks for stem in made])
        write_pictures(packed, "spectrogram", [stem.spectrogram for stem in made])
        entries = [
            {"stem": stem, "bytes": packing.size, "digest": packing.digest}
            for stem, packing in zip(stems, made, strict=True)
        ]
        manifest = {"sample_rate": made[0].sample_rate, "frames": made[0].frames, "stems": entries}
        (packed / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        sync_tree(packed)
        self.lease.check()
        crash_point("before_publish")
        move_into_place(packed, self._published)
        crash_point("after_publish")

    def _pack_stems(self, attempt: Path, packed: Path, stems: tuple[str, ...]) -> list[PackedStem]:
        """Pack all stems, as many at once as there are processors: encoder and FFT do not need the GIL."""
        made: list[PackedStem] = []
        pool = ThreadPoolExecutor(min(len(stems), os.cpu_count() or 1))
        try:
            jobs = [pool.submit(pack_stem, attempt / f"{stem}.wav", packed / f"{stem}.flac") for stem in stems]
            for job in jobs:
                self.lease.report(PACK, 1 - _PACK_SHARE * (1 - len(made) / len(stems)))
                made.append(job.result())
        finally:
            pool.shutdown(cancel_futures=True)
        return made

    def _commit(self) -> None:
        manifest: dict[str, Any] = json.loads((self._published / MANIFEST).read_text("utf-8"))
        with self.service.database.write() as session:
            job = claims.lock_claimed(session, self.claimed)
            song = session.get_one(Song, job.song_id)
            replaced, song.job_id = song.job_id, job.id
            song.state, song.error, song.version = "ready", "", song.version + 1
            song.stems = [entry["stem"] for entry in manifest["stems"]]
            song.sample_rate, song.frames = manifest["sample_rate"], manifest["frames"]
            song.model = job.settings["model"]
            song.bytes = self._source_bytes() + folder_bytes(self._published)
            song.words = fold_words(song.title, song.artist, song.album, song.file_name)
            session.execute(delete(StemFile).where(StemFile.job_id.in_((job.id, replaced or ""))))
            session.add_all(
                StemFile(job_id=job.id, position=position, **entry)
                for position, entry in enumerate(manifest["stems"])
            )
            claims.finish(self.service, session, self.claimed, "done")
        crash_point("after_done")
        if replaced is not None and replaced != self.claimed.job_id:
            remove(self.service.data.stems(self.claimed.song_id, replaced))
            remove(self.service.data.derived(replaced))
