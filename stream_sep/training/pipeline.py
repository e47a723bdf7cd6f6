"""From a folder of multitrack songs to separated ones, in one call: cache, training, scores, stems, pictures.

Every step keeps its results, so that a second run does only the missing work: songs by song, the training by its
checkpoint, scores and stems by the digest of the weights.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.extras import install_hint
from stream_sep.files.batch import separate_all
from stream_sep.files.job import SeparationJob
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.tracks import find_tracks
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators.source_groups import SourceGroups
from stream_sep.training.config import DataConfig, TrainConfig, TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream_sep.files.progress import Progress

CACHES = {"folder": "cache", "h5": "cache.h5"}
"""Name of a way to keep decoded songs -> its place in the folder of a pipeline."""


@dataclass(frozen=True)
class PipelineResult:
    """The results of a pipeline.

    Attributes:
        weights: the best weights, for ``--model``.
        scores: mean uSDR of each stem over the songs kept out of training, and their ``mean``, in dB.
        stems: song -> stem -> its WAV file.
        pictures: files to look at.
    """

    weights: Path
    scores: dict[str, float]
    stems: dict[Path, dict[str, Path]] = field(default_factory=dict)
    pictures: tuple[Path, ...] = ()


class Pipeline:
    """Prepares data, trains a network on it and separates songs with it.

    Args:
        data: folder of multitrack songs, in any layout of ``stream-sep data build``.
        out: folder for all that is made.
        network: kind of network, or the whole table ``[network]`` of a config, such as
            ``{"kind": "unet", "base": 8}``.
        groups: name of a preset of groups, or a table of groups and their sources.
        minutes: time to train, over all runs; 0 leaves it to ``steps``.
        steps: batches to train; 0 leaves it to ``minutes``.
        layout: of the data.
        cache: ``h5``, one HDF5 file, or ``folder``.
        device: ``cpu``, ``cuda``, or ``auto`` for the fastest available.
        jobs: songs decoded in parallel.
        validation_percent: how many percent of the artists are kept out of training.
        training: changed keys of the table ``[training]`` of a config.
        report: callback that receives messages.
        progress: callback that receives the name of a step, such as ``training``, and the share that is done, 0 to 1.

    Raises:
        ConfigError: an invalid value.

    >>> pipeline = Pipeline("slakh/train", "out/drums", network="unet", groups="drums-no_drums", minutes=60)
    >>> pipeline.config.groups.stems
    ('drums', 'no_drums')
    """

    def __init__(
        self,
        data: str | Path,
        out: str | Path,
        *,
        network: str | Mapping[str, Any] = "unet",
        groups: str | Mapping[str, Sequence[str]] = "four",
        minutes: float = 0.0,
        steps: int = 0,
        layout: str = "auto",
        cache: str = "h5",
        device: str = "auto",
        jobs: int = 1,
        validation_percent: int = 16,
        training: Mapping[str, Any] | None = None,
        report: Callable[[str], None] = lambda _text: None,
        progress: Callable[[str, float], None] = lambda _step, _share: None,
    ) -> None:
        if cache not in CACHES:
            raise ConfigError(f"unknown cache {cache!r}; choose from {', '.join(CACHES)}")
        self.data, self.out = Path(data), Path(out)
        self.cache = self.out / CACHES[cache]
        self._layout, self._device, self._jobs = layout, device, jobs
        self._report, self._progress = report, progress
        table = {"kind": network} if isinstance(network, str) else {"kind": "unet", **network}
        self.config = TrainConfig(
            name=self.out.name,
            folder=self.out,
            home=self.out,
            network=table,
            data=DataConfig((self.cache.name,), validation_percent=validation_percent),
            training=_training(str(table["kind"]), minutes, steps, training or {}),
            groups=SourceGroups.from_table(groups),
        )

    @property
    def weights(self) -> Path:
        """The file of the best weights."""
        return self.out / "best.safetensors"

    def run(self, songs: Sequence[str | Path] = ()) -> PipelineResult:
        """Run all missing steps.

        Args:
            songs: the songs to separate in the end.

        Raises:
            AudioFileError: the data or a song cannot be read.
            ConfigError: the data have nothing to train on, or a value is invalid.
            SeparatorError: the weights cannot be used.
        """
        self.prepare()
        self.train()
        return self.finish(songs)

    def finish(self, songs: Sequence[str | Path] = ()) -> PipelineResult:
        """Run the steps after the training; see `run`.

        Args:
            songs: the songs to separate.
        """
        scores = self.evaluate()
        stems = self.separate(songs)
        return PipelineResult(self.weights, scores, stems, self.draw(stems))

    def prepare(self) -> Path:
        """Decode the missing data into the cache; return the cache."""
        from stream_sep.training.data.cache import build_cache  # noqa: PLC0415 - only when it is needed
        from stream_sep.training.data.layouts import find_stem_songs  # noqa: PLC0415 - as above

        found = find_stem_songs(self.data, self._layout)
        done: list[str] = []

        def add(name: str) -> None:
            done.append(name)
            self._report(f"{name} is in the cache")
            self._progress("decoding", len(done) / len(found))

        added = build_cache(found, self.cache, add, self._jobs)
        self._progress("decoding", 1.0)
        self._report(f"{len(found)} songs, {added} of them new")
        return self.cache

    def train(self, should_stop: Callable[[], bool] = lambda: False) -> Path:
        """Train to the end, from the last checkpoint on; return the weights.

        Args:
            should_stop: called after every step.
        """
        if self._is_trained():
            self._report("trained already")
            return self.weights
        trainer_class = _trainer_class()
        trainer = trainer_class(self.config, self.out, device=self._device)

        def stop() -> bool:
            self._progress("training", min(trainer.progress, 1.0))
            return should_stop()

        trainer.run(self._report, stop)
        self._progress("training", min(trainer.progress, 1.0))
        if trainer.progress >= 1:
            _write_json(self.out / "trained.json", {"config": self._plain()})
        return self.weights

    def evaluate(self) -> dict[str, float]:
        """Return the scores by which the weights were selected: mean uSDR of whole held-out songs, in dB."""
        from stream_sep.separators.weight_file import read_metadata  # noqa: PLC0415 - as above

        scores: dict[str, float] = json.loads(read_metadata(self.weights)[0]["scores"])
        return scores

    def separate(self, songs: Sequence[str | Path]) -> dict[Path, dict[str, Path]]:
        """Separate songs into ``OUT/stems/.../SONG/GROUP.wav``; songs that these weights have separated are skipped.

        Raises:
            AudioFileError: a song cannot be read, or its stems not written; the others are done first.
        """
        if not songs:
            return {}
        settings = SeparationSettings(model=str(self.weights))
        job = SeparationJob(settings=settings, out=self.out / "stems")
        tracks = find_tracks([Path(song) for song in songs], job.out)

        def advance(index: int, progress: Progress) -> None:
            self._progress(tracks[index].path.name, progress.share)

        outcomes = [outcome for _, outcome in separate_all(tracks, job, advance)]
        for outcome in outcomes:
            self._report(outcome.error or f"{outcome.track.path.name} {'was' if outcome.skipped else 'is'} separated")
        failed = [outcome.error for outcome in outcomes if outcome.error]
        if failed:
            raise AudioFileError("; ".join(failed))
        return {outcome.track.path: {file.stem: file for file in outcome.files} for outcome in outcomes}

    def draw(self, stems: Mapping[Path, Mapping[str, Path]]) -> tuple[Path, ...]:
        """Draw curves of the training and spectrograms of stems; nothing without Matplotlib."""
        from stream_sep.training.pictures import draw_curves, draw_stems  # noqa: PLC0415 - an extra

        drawn = [draw_curves(self.out / "curves.csv", self.out / "curves.png")]
        drawn += [draw_stems(files, next(iter(files.values())).parent / "stems.png") for files in stems.values()]
        return tuple(picture for picture in drawn if picture is not None)

    def _is_trained(self) -> bool:
        done = self.out / "trained.json"
        if not self.weights.is_file() or not done.is_file():
            return False
        same: bool = json.loads(done.read_text("utf-8"))["config"] == self._plain()
        return same

    def _plain(self) -> Any:  # noqa: ANN401 - plain JSON values
        training = dataclasses.asdict(self.config.training)
        groups, data = self.config.groups.to_dict(), self.config.data.validation_percent
        config = {"network": self.config.network, "groups": groups, "training": training, "data": data}
        return json.loads(json.dumps(config))


def _training(kind: str, minutes: float, steps: int, values: Mapping[str, Any]) -> TrainingConfig:
    """Return the training config of a kind of network, with ``values`` in place of the defaults."""
    usual: dict[str, Any] = {"batch": 8, "seconds": 2.0, "spectral": 0.0, "ema": 0.99, "validate_every": 100}
    if kind == "unet":
        usual["burn_in_seconds"] = 0.0
    known = {entry.name for entry in dataclasses.fields(TrainingConfig)}
    if unknown := sorted(set(values) - known):
        raise ConfigError(f"[training] has no key {unknown[0]!r}; it has: {', '.join(sorted(known))}")
    return TrainingConfig(**{**usual, "minutes": minutes, "steps": steps, **values})


def _trainer_class() -> Any:  # noqa: ANN401 - torch is an extra
    try:
        from stream_sep.training.trainer import Trainer  # noqa: PLC0415 - torch is an extra
    except ImportError as error:
        raise ConfigError(f"training needs torch ({error}); {install_hint('train')}") from error
    return Trainer


def _write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - as above
    try:
        atomic_write(path, json.dumps(value).encode())
    except OSError as error:
        raise AudioFileError(f"{path} cannot be written ({error.strerror}); is the disk full?") from error
