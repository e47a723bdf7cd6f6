"""A separation job: which files to write for each song, where, and how."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.files import stem_mp4
from stream_sep.files.formats import AudioFormat
from stream_sep.files.part_files import part_path
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.stem_mixes import SONG, StemMix, needed_stems, parse_mix, single, two_stems
from stream_sep.separators import is_weight_file
from stream_sep.separators.windowed import rest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.files.tracks import Track

FILENAME = "{track}/{stem}.{ext}"
STEM_FILENAME = "{track}.{ext}"
_FIELDS = ("track", "trackext", "stem", "ext")


@dataclass(frozen=True)
class SeparationJob:
    """The job for every song; immutable, so that any process can do a song of it.

    Attributes:
        settings: how the stems are made.
        stems: the stems to write, all unless given or unless ``mixes`` are.
        two_stems: write this stem and the rest of the song, instead.
        other_method: how that rest is made; see `stem_mixes.two_stems`.
        mixes: texts for `stem_mixes.parse_mix`.
        residual: whether the stems add up to the song: the remainder goes to the stem of `rest_of`.
        out: folder for a folder of the model's name, with the files in it.
        filename: where they are in it, of ``{track}``, ``{trackext}``, ``{stem}`` and ``{ext}``; usual unless given.
        format: their audio format.
        stream: whether they can be read while they are written.
        tags: whether title, artist and cover of the song are kept.
        overwrite: whether to separate songs again whose files exist.
        cache_gb: gigabytes that the cache of stems may take.

    Raises:
        ConfigError: an invalid value, alone or with the others.
    """

    settings: SeparationSettings = field(default_factory=SeparationSettings)
    stems: tuple[str, ...] | None = None
    two_stems: str = ""
    other_method: str = "add"
    mixes: tuple[str, ...] = ()
    residual: bool = False
    out: Path = Path("separated")
    filename: str = ""
    format: AudioFormat = field(default_factory=AudioFormat)
    stream: bool = False
    tags: bool = True
    overwrite: bool = False
    cache_gb: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
        except ValueError as error:
            raise ConfigError(f"invalid --filename {self.filename!r}: {error}") from error
        if not set(fields) <= set(_FIELDS):
            raise ConfigError(
                f"unknown field in --filename {self.filename!r}; choose from {', '.join(f'{{{n}}}' for n in _FIELDS)}"
            )
        if self.stream and self.format.name not in {"wav", "mp3", "ogg"}:
            raise ConfigError(
                f"--stream cannot write {self.format.name}, which is readable only when whole; take wav"
            )
        if self.stream and self.format.clip == "rescale":
            raise ConfigError("--stream cannot rescale, as the song's peak is not known yet; use --clip-mode clamp")

    @property
    def template(self) -> str:
        """The template of file names."""
        return self.filename or (STEM_FILENAME if self.format.name == "stem.mp4" else FILENAME)

    @property
    def folder(self) -> Path:
        """The output folder of the model; one's own weights have another, named after their folder and file."""
        model, weights = self.settings.model, self.settings.options.get("weights")
        if is_weight_file(model):
            return self.out / _name_of(Path(model))
        name = model.removeprefix("hf://").replace("/", "_").replace(":", "_")
        name = name if name.strip(". ") else "model"
        return self.out / (f"{name}-{_name_of(Path(weights))}" if isinstance(weights, str) else name)

    def target(self, track: Track, stem: str) -> Path:
        """Return the file for a stem of a track.

        Args:
            track: the song.
            stem: the stem's name.
        """
        names = {"track": track.name, "trackext": track.path.suffix[1:], "stem": stem, "ext": self.format.name}
        return self.folder / track.folder / self.template.format(**names)

    def part(self, track: Track, stem: str) -> Path:
        """Return where a stem of a track can be read while it is made, with ``stream``; see `StreamingWavWriter`.

        Args:
            track: the song.
            stem: the stem's name.
        """
        return part_path(self.target(track, stem), self.format)

    def describe(self, mix: StemMix, model_key: str) -> str:
        """Return a text that differs if the content of a mix's file would differ.

        Args:
            mix: the mix.
            model_key: identifies the weights of the model.
        """
        form = self.format
        held = {"wav": form.bits, "flac": form.bits, "mp3": form.kbps, "stem.mp4": form.kbps}.get(form.name)
        clip = "clamp" if self.stream and form.clip_mode == "rescale" else form.clip_mode
        facts = [self.settings.fingerprint(), model_key, mix.gains, self.residual, form.name, held, clip, self.tags]
        return json.dumps(facts)


@dataclass(frozen=True)
class OutputPlan:
    """The output of a job with a given model.

    Attributes:
        mixes: the files to write.
        stems: the stems that they are mixed from.
        made: those that the model computes; the rest is the remainder of the song.
    """

    mixes: tuple[StemMix, ...]
    stems: tuple[str, ...]
    made: tuple[str, ...]


def plan_outputs(job: SeparationJob, sources: Sequence[str]) -> OutputPlan:
    """Return the files and stems that a job needs.

    Args:
        job: the job.
        sources: stems of the model.

    Raises:
        ConfigError: a stem that the model does not have, or settings that contradict each other.

    >>> plan_outputs(SeparationJob(mixes=("karaoke=song-vocals",)), ("drums", "bass", "other", "vocals")).made
    ('vocals',)
    """
    mixes = _mixes(job, sources)
    stems = needed_stems(mixes, sources)
    if len(mixes) > 1 and "{stem}" not in job.template and job.format.name != "stem.mp4":
        raise ConfigError(f"--filename {job.filename!r} gives all stems of a song one name; put {{stem}} into it")
    if not job.residual:
        return OutputPlan(mixes, stems, stems)
    rest = sources[rest_of(sources)]
    if rest not in stems:
        raise ConfigError(
            f"--residual needs the stem {rest!r}, which takes what is left of the song; add it to --stems"
        )
    made = tuple(name for name in stems if name != rest) or stems
    return OutputPlan(mixes, stems, made)


def _mixes(job: SeparationJob, sources: Sequence[str]) -> tuple[StemMix, ...]:
    if job.format.name == "stem.mp4":
        if job.stems or job.two_stems or job.mixes or job.stream:
            raise ConfigError(
                "a stem file always holds the song and four stems; leave --stems, --mix and the like out"
            )
        return (single(SONG), *(single(name) for name in stem_mp4.STEMS))
    parsed = [parse_mix(text) for text in job.mixes]
    if job.two_stems:
        if job.stems:
            raise ConfigError("--two-stems and --stems select different files; leave one out")
        return (*two_stems(job.two_stems, sources, job.other_method), *parsed)
    chosen = job.stems if job.stems is not None else (() if parsed else tuple(sources))
    return (*(single(name) for name in chosen), *parsed)


def _name_of(weights: Path) -> str:
    return "-".join(name for name in (weights.parent.name, weights.stem) if name)
