"""``stream-sep render``: the live engine offline, from a file to stem files."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from stream_sep.cli import engine_options as shared  # noqa: TC001 - typer reads them
from stream_sep.cli.arguments import complete_model, complete_preset
from stream_sep.control.presets.library import load_preset
from stream_sep.engine.config import EngineConfig
from stream_sep.errors import AudioFileError
from stream_sep.files.disk_space import check_room
from stream_sep.files.formats import FLOATS
from stream_sep.files.output_file import OutputFile
from stream_sep.files.song import open_song
from stream_sep.files.tracks import Track, readable, spooled
from stream_sep.separators import SHORT_DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream_sep.backends.offline import OfflineBackend
    from stream_sep.engine.engine import Engine
    from stream_sep.files.song import Song
    from stream_sep.protocols import Block

_FEED_BLOCKS = 1000
_FRAME_BYTES = 8

_log = logging.getLogger(__name__)


def render(
    file: Annotated[Path, typer.Argument(help="a song")],
    out: Annotated[Path | None, typer.Option(help="folder for the stems (default: SONG-stems)")] = None,
    model: Annotated[
        str, typer.Option(help="separator, see 'models list'", autocompletion=complete_model)
    ] = SHORT_DEFAULT,
    block_size: shared.BlockSize = 128,
    preset: Annotated[
        str,
        typer.Option(help="preset of faders and effects, such as karaoke, or a file", autocompletion=complete_preset),
    ] = "",
) -> None:
    """Write the stems of a song to WAV files. They are identical to the live engine's output."""
    folder = out or Path(f"{readable(file.stem)}-stems")
    console = Console(soft_wrap=True, highlight=False, markup=False)
    frames = render_file(file, folder, model, block_size, preset, report=console.print)
    console.print(f"{frames} frames of each stem written to {folder}")


def render_file(
    file: Path,
    folder: Path,
    model: str = SHORT_DEFAULT,
    block_size: int = 128,
    preset: str = "",
    report: Callable[[str], None] = _log.warning,
) -> int:
    """Process ``file`` with the engine into ``folder``; return the frames written.

    Memory is bounded by a thousand blocks, whatever the file's length.

    Args:
        file: the song; more than two channels are mixed down.
        folder: for a float WAV file of the mix and of each stem, all of them or none.
        model: the separator.
        block_size: frames per block of the engine.
        preset: faders and effects.
        report: callback that receives warnings about the song.

    Raises:
        AudioFileError: the file cannot be read or the folder not written.
        PresetError: the preset cannot be read.
    """
    with spooled([Track(file, Path(), file.stem)]) as (track,):
        song = open_song(track.path)
        if song.note:
            report(song.note)
        return _render(song, folder, model, block_size, preset, report)


def _render(song: Song, folder: Path, model: str, block_size: int, preset: str, report: Callable[[str], None]) -> int:
    from stream_sep.backends.offline import OfflineBackend

    backend = OfflineBackend(song.sample_rate, block_size)
    with ExitStack() as stack:
        engine = stack.enter_context(_engine(backend, model, preset))
        names, guess = ("mix", *engine.stems), int(song.seconds * song.sample_rate)
        check_room(folder, _FRAME_BYTES * guess * len(names))
        files = [
            stack.enter_context(OutputFile(folder / f"{name}.wav", song.sample_rate, guess, FLOATS, stream=False))
            for name in names
        ]
        skip, written = engine.latency.engine, 0
        for block, frames in _blocks(song, block_size, skip, report):
            buses = backend.feed(block)[..., skip:][..., : frames - written]
            skip = max(0, skip - block.shape[1])
            written += buses.shape[2]
            check_room(folder, buses.nbytes)  # as the song may be longer than its header states
            for file, bus in zip(files, buses, strict=True):
                file.write(bus)
        if not written:
            raise AudioFileError(f"{song.path} contains no audio")
        for file in files:
            file.finish(1.0)
        for file in files:
            file.commit()
    return written


def _engine(backend: OfflineBackend, model: str, preset: str) -> Engine:
    """Return an engine with a preset applied before the first frame."""
    from stream_sep.engine.engine import Engine

    chains = load_preset(preset).chains if preset else None
    engine = Engine(backend, EngineConfig(model=model, worker="inline", chains=chains or None))
    try:
        if preset:
            engine.apply_preset(load_preset(preset, stems=engine.stems))
    except BaseException:
        engine.stop()
        raise
    return engine


def _blocks(song: Song, block_size: int, latency: int, report: Callable[[str], None]) -> Iterator[tuple[Block, int]]:
    """Yield the song in whole blocks, followed by silence until its last frame has been output.

    Each comes with the number of the song's frames up to its end.
    """
    frames, waiting = 0, np.zeros((2, 0), np.float32)
    for block in song.blocks(song.sample_rate, report):
        waiting = np.concatenate([waiting, block], axis=1)
        whole = waiting.shape[1] // (_FEED_BLOCKS * block_size) * _FEED_BLOCKS * block_size
        if whole:
            frames += whole
            yield waiting[:, :whole], frames
            waiting = waiting[:, whole:]
    frames += waiting.shape[1]
    rest = latency + (-latency - waiting.shape[1]) % block_size
    yield np.pad(waiting, ((0, 0), (0, rest))), frames
