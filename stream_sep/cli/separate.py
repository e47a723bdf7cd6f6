"""``stream-sep separate``: songs into stem files; ``stream-sep cache``: the stems that are kept."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from stream_sep.cli.app import App
from stream_sep.cli.arguments import parse_options
from stream_sep.cli.separate_progress import BatchProgress
from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint
from stream_sep.files.batch import separate_all
from stream_sep.files.formats import FORMATS, AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.part_files import sweep_outputs
from stream_sep.files.settings import DEFAULT_MODEL, SeparationSettings
from stream_sep.files.song_models import default_song_model
from stream_sep.files.stem_cache import DEFAULT_GB, StemCache
from stream_sep.files.tracks import find_tracks, spooled
from stream_sep.separators import DEFAULT_FOR_SONGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream_sep.files.progress import Progress
    from stream_sep.files.song_separator import Outcome
    from stream_sep.files.tracks import Track

    Executor = Callable[[Sequence[Track], Callable[[int, Progress], None]], Iterator[tuple[int, Outcome]]]
    """Does a job for songs, with a callback that receives the progress of each."""

_GB = 1e9

cache_app = App("List and delete the stems that separate and play keep.")


def separate(
    songs: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="songs, and folders of songs")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-n",
            help="a Demucs model, hf://user/name, or a live model; see 'models list' "
            f"(default: {DEFAULT_MODEL} if its weights are here, else {DEFAULT_FOR_SONGS})",
        ),
    ] = "",
    repo: Annotated[Path | None, typer.Option(help="folder with the model's weights")] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for a separator other than Demucs")] = None,
    config: Annotated[
        Path | None, typer.Option(help="a published checkpoint's YAML config (default: beside it)")
    ] = None,
    stems: Annotated[str, typer.Option(help="stems to write, such as vocals,drums (default: all)")] = "",
    two_stems: Annotated[str, typer.Option(help="write this stem, and the rest of the song as another")] = "",
    other_method: Annotated[
        str, typer.Option(help="how to make the rest: add (the other stems), minus (song minus stem), or none")
    ] = "add",
    mix: Annotated[list[str] | None, typer.Option(help="NAME=STEM+STEM, such as karaoke=drums+bass+other")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for the stems")] = Path("separated"),
    filename: Annotated[str, typer.Option(help="file name template with {track}, {trackext}, {stem}, {ext}")] = "",
    form: Annotated[str, typer.Option("--format", "-f", help=f"{', '.join(FORMATS)} (for DJ software)")] = "wav",
    bits: Annotated[int, typer.Option(help="wav: 16, 24, or 32 for floats; flac: 16 or 24")] = 16,
    bitrate: Annotated[int, typer.Option(help="bit rate of mp3 and stem.mp4 in kbit/s")] = 320,
    clip_mode: Annotated[str, typer.Option(help="on overload: rescale, clamp, tanh, none or auto")] = "auto",
    shifts: Annotated[int, typer.Option(help="shifted passes to average; more is slower and better")] = 1,
    overlap: Annotated[float, typer.Option(help="overlap of segments, 0 to 1")] = 0.25,
    segment: Annotated[
        float, typer.Option(help="segment length in seconds (default: the model's)", show_default=False)
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="random seed of the shifts")] = 0,
    device: Annotated[str, typer.Option("--device", "-d", help="cpu, cuda, mps, or auto")] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16, or auto (the fastest within -50 dB of float32)")
    ] = "auto",
    threads: Annotated[
        int, typer.Option(help="CPU threads per song (default: the model's choice)", show_default=False)
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="songs in parallel (default: 1; with ray, as many as fit)")
    ] = None,
    executor: Annotated[str, typer.Option(help="local, or ray for a Ray cluster")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="address of the Ray cluster, such as 192.168.0.5:6379 (default: one on this machine)"),
    ] = None,
    cache_gb: Annotated[float, typer.Option(help="size of the stem cache in GB; 0 turns it off")] = DEFAULT_GB,
    *,
    residual: Annotated[bool, typer.Option("--residual", help="make the stems add up to the song exactly")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="write STEM.part.wav files that can be read while they grow")
    ] = False,
    tags: Annotated[bool, typer.Option(help="copy title, artist and cover")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="separate finished songs again")] = False,
) -> None:
    """Separate songs into stem files. The folders are those of the demucs command; finished songs are skipped."""
    consoles = [Console(soft_wrap=True, highlight=False, stderr=is_error) for is_error in (False, True)]
    if not model:
        model = DEFAULT_MODEL if executor == "ray" else default_song_model(repo)
        if model != DEFAULT_MODEL:
            consoles[1].print(_better_than(model), markup=False)
    settings = SeparationSettings(
        model=model,
        repo=repo,
        options={**parse_options(option or []), **({} if config is None else {"config": str(config)})},
        shifts=shifts,
        overlap=overlap,
        segment=segment or None,
        seed=seed,
        device=device,
        precision=precision,
        threads=threads or None,
    )
    job = SeparationJob(
        settings=settings,
        stems=_names(stems),
        two_stems=two_stems,
        other_method=other_method,
        mixes=tuple(mix or ()),
        residual=residual,
        out=out,
        filename=filename,
        format=AudioFormat(form, bits, bitrate, clip_mode),
        stream=stream,
        tags=tags,
        overwrite=overwrite,
        cache_gb=cache_gb,
    )
    sweep_outputs(job.folder)
    with spooled(find_tracks(songs, out)) as tracks:
        failed = run_job(tracks, _executor(executor, job, jobs, address), *consoles)
    if failed:
        raise typer.Exit(1)


def run_job(tracks: Sequence[Track], outcomes_of: Executor, console: Console, errors: Console | None = None) -> int:
    """Do a job with a progress bar per song and one in total; return how many songs failed."""
    outcomes: list[Outcome] = []
    with BatchProgress(tracks, console, errors) as progress:
        for index, outcome in outcomes_of(tracks, progress.advance):
            progress.end(index, outcome)
            outcomes.append(outcome)
    failed = sum(bool(outcome.error) for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    parts = [f"{len(outcomes) - failed - skipped} separated"]
    parts += [f"{skipped} already separated"] if skipped else []
    parts += [f"{failed} failed"] if failed else []
    console.print(", ".join(parts), markup=False)
    return failed


@cache_app.command("list")
def list_cache() -> None:
    """List the songs whose stems are cached, most recently used first."""
    cache = StemCache()
    entries = cache.entries()
    for entry in entries:
        print(f"{entry.size / _GB:6.2f} GB  {','.join(entry.stems) or 'begun'}  {entry.song}")
    left = [file.stat().st_size for folder in cache.leftovers() for file in folder.iterdir()]
    if left:
        print(f"{sum(left) / _GB:6.2f} GB  left by a program that was killed; stream-sep cache clear deletes it")
    print(f"{sum(entry.size for entry in entries) / _GB:6.2f} GB in {cache.folder}")


@cache_app.command("clear")
def clear_cache() -> None:
    """Delete the cached stems."""
    cache = StemCache()
    print(f"the stems of {cache.clear()} songs deleted from {cache.folder}")


def _better_than(model: str) -> str:
    missing = (
        ""
        if find_spec("demucs")
        else f"; that needs Demucs (docs/how-to/separate-files.md), {install_hint('demucs')}"
    )
    return f"separating with the bundled {model}; for better stems, '-n {DEFAULT_MODEL}' downloads 80 MB{missing}"


def _executor(name: str, job: SeparationJob, jobs: int | None, address: str | None) -> Executor:
    if name == "ray":
        from stream_sep.files.ray_batch import separate_on_ray

        return lambda tracks, report: separate_on_ray(tracks, job, report, address=address, jobs=jobs)
    if name != "local":
        raise ConfigError(f"unknown executor {name!r}; choose local or ray")
    if address is not None:
        raise ConfigError(f"--address {address} needs --executor ray")
    return lambda tracks, report: separate_all(tracks, job, report, jobs=1 if jobs is None else jobs)


def _names(text: str) -> tuple[str, ...] | None:
    if not text:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ConfigError(f"invalid --stems {text!r}; use STEM,STEM, as in vocals,drums")
    return names
