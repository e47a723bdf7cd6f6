"""``stream-sep data``: training caches from songs, songs synthesized from samples, and archives of caches."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream_sep.cli.app import App

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_MAX_LISTED = 20

app = App("Build and check training data.")


@app.command()
def build(
    songs: Annotated[Path, typer.Argument(help="multitrack songs: MUSDB18, MoisesDB, Slakh, or folders of stems")],
    cache: Annotated[Path, typer.Argument(help="cache, created or extended: a folder, or one file, FILE.h5")],
    layout: Annotated[
        str, typer.Option(help="stem-files, stem-folders, moises, slakh, cambridge-mt, mir1k, or auto")
    ] = "auto",
    limit: Annotated[int, typer.Option(help="use only the first N songs; 0 uses all")] = 0,
    jobs: Annotated[int, typer.Option(help="songs processed in parallel")] = 1,
) -> None:
    """Decode songs into a training cache; songs already in it are skipped."""
    from stream_sep.training.data.cache import build_cache
    from stream_sep.training.data.layouts import find_stem_songs, unused_files

    found = find_stem_songs(songs, layout)[: limit or None]
    unused = [] if limit else unused_files(songs, found)
    with _song_bar(len(found)) as advance:
        added = build_cache(found, cache, advance, jobs)
    typer.echo(f"{cache}: {added} songs added, {len(found) - added} already there")
    _warn_unused(unused)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="training set of a vocal remover")],
    cache: Annotated[Path, typer.Argument(help="cache, created or extended: a folder, or one file, FILE.h5")],
    kind: Annotated[
        str, typer.Option(help="instruments, vocals, pairs, npz-instruments, npz-vocals or npz-pairs")
    ] = "pairs",
) -> None:
    """Add folders of instrumentals, voices, pairs, or their spectra in .npz files to a training cache."""
    from stream_sep.training.data.foreign_sets import import_set

    added = import_set(folder, cache, kind, typer.echo)
    typer.echo(f"{cache}: {added} songs added")


@app.command()
def check(
    cache: Annotated[Path, typer.Argument(help="a cache")],
    *,
    drop: Annotated[
        bool, typer.Option("--drop", help="remove damaged songs, so that the next build decodes them again")
    ] = False,
) -> None:
    """Read every song of a cache and list damaged ones; exit with 1 if any."""
    from stream_sep.evaluation.validation_split import is_validation
    from stream_sep.training.data.cache import RATE, check_cache, drop_songs, read_index

    rows = read_index(cache)
    minutes = sum(song.frames for song in rows) / RATE / 60
    kept = sum(is_validation(song.name, 16) for song in rows)
    typer.echo(f"{cache}: {len(rows)} songs, {minutes:.0f} minutes, {kept} kept for validation at 16 percent")
    damaged = check_cache(cache)
    for name in damaged:
        typer.echo(f"damaged: {name}")
    if damaged and drop:
        drop_songs(cache, damaged)
    elif damaged:
        raise typer.Exit(1)


@app.command()
def synth(
    samples: Annotated[Path, typer.Argument(help="folder of MIDI songs and samples; see docs/how-to/train.md")],
    out: Annotated[Path, typer.Argument(help="folder for the songs, a folder of stems each")],
    songs: Annotated[int, typer.Option(help="total number of songs")] = 100,
    seed: Annotated[int, typer.Option(help="random seed")] = 1,
    seconds: Annotated[float, typer.Option(help="song length in seconds, within a third")] = 33.0,
    jobs: Annotated[int, typer.Option(help="songs processed in parallel")] = 1,
) -> None:
    """Synthesize multitrack songs from samples and MIDI; existing songs are skipped."""
    from stream_sep.training.synth.generate import make_songs

    with _song_bar(songs) as advance:
        make_songs(samples, out, songs=songs, seed=seed, seconds=seconds, jobs=jobs, report=advance)
    typer.echo(f"{out}: {songs} songs")


@app.command()
def pack(
    caches: Annotated[list[Path], typer.Argument(help="caches")],
    out: Annotated[Path, typer.Option(help="prefix of the archive names")] = Path("pack"),
    part_mb: Annotated[float, typer.Option(help="maximum archive size in MB")] = 48.0,
    quality: Annotated[float, typer.Option(help="Ogg Vorbis quality, 0 to 1")] = 0.3,
) -> None:
    """Pack caches into small archives, to copy to another machine."""
    from stream_sep.training.data.archives import pack_caches
    from stream_sep.training.data.cache import read_index

    with _song_bar(sum(len(read_index(cache)) for cache in caches)) as advance:
        paths = pack_caches(caches, out, part_mb=part_mb, quality=quality, report=advance)
    for path in paths:
        typer.echo(f"{path}: {path.stat().st_size / 2**20:.1f} MB")


@app.command()
def unpack(
    archives: Annotated[list[Path], typer.Argument(help="archives of 'stream-sep data pack'")],
    folder: Annotated[Path, typer.Option("--to", help="folder for the caches")] = Path(),
    jobs: Annotated[int, typer.Option(help="songs processed in parallel")] = 1,
) -> None:
    """Unpack archives into caches; existing songs are skipped."""
    from stream_sep.training.data.archives import unpack as unpack_archive

    for archive in archives:
        added = unpack_archive(archive, folder, jobs)
        typer.echo(f"{archive}: {added} songs added")


def _warn_unused(files: Sequence[Path]) -> None:
    if files:
        typer.echo(f"{len(files)} sound files belong to no stem and were left out:", err=True)
        for file in files[:_MAX_LISTED]:
            typer.echo(f"  {file}", err=True)
        if len(files) > _MAX_LISTED:
            typer.echo(f"  and {len(files) - _MAX_LISTED} more", err=True)


@contextmanager
def _song_bar(songs: int) -> Iterator[Callable[[str], None]]:
    """Show a bar; the function that it gives counts a song, whose name is of no interest."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("songs", total=songs)
        yield lambda _name: bar.advance(task)
