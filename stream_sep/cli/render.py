"""``stream-sep render``: the live engine driven as fast as it can, from a file to stem files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console

from stream_sep.backends.offline import OfflineBackend
from stream_sep.control.presets.library import load_preset
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.separators import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_sep.protocols import Block

_FEED_BLOCKS = 1000


def render(
    file: Annotated[Path, typer.Argument(help="a song")],
    out: Annotated[Path | None, typer.Option(help="folder for the stems [default: SONG-stems]")] = None,
    model: Annotated[str, typer.Option(help="separator, see 'models list'")] = DEFAULT,
    block_size: Annotated[int, typer.Option(help="frames per block")] = 128,
    preset: Annotated[str, typer.Option(help="faders and effects: karaoke, acapella, ... or a file")] = "",
) -> None:
    """Write the stems of FILE to WAV files, exactly as the live engine would play them."""
    folder = out or Path(f"{file.stem}-stems")
    frames = render_file(file, folder, model, block_size, preset)
    Console(soft_wrap=True).print(f"{frames} frames of each stem written to {folder}", highlight=False)


def render_file(file: Path, folder: Path, model: str = DEFAULT, block_size: int = 128, preset: str = "") -> int:
    """Drive ``file`` through the engine into ``folder``; return the frames written.

    Memory is bounded by a thousand blocks, whatever the file's length.

    Raises:
        AudioFileError: the file cannot be read or the folder not written.
        ConfigError: more than two channels.
        PresetError: the preset cannot be read.
    """
    with ExitStack() as stack:
        try:
            song = stack.enter_context(soundfile.SoundFile(file))
        except soundfile.SoundFileError as error:
            raise AudioFileError(f"cannot read {file}: {error}; is it an audio file?") from error
        try:
            return _render_whole(song, folder, model, block_size, preset)
        except (OSError, soundfile.SoundFileError) as error:
            raise AudioFileError(
                f"cannot turn {file} into {folder}: {error}; nothing was written, try another folder with --out"
            ) from error


def _render_whole(song: soundfile.SoundFile, folder: Path, model: str, block_size: int, preset: str) -> int:
    """Write beside the folder's files and move there at the end: a run that fails leaves what was there before."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".rendering-", dir=folder) as scratch:
        frames = _render(song, Path(scratch), model, block_size, preset)
        for file in Path(scratch).iterdir():
            file.replace(folder / file.name)
    return frames


def _render(song: soundfile.SoundFile, folder: Path, model: str, block_size: int, preset: str) -> int:
    if song.channels > 2:
        raise ConfigError(f"{song.name} has {song.channels} channels; mix it down to two first")
    backend = OfflineBackend(song.samplerate, block_size)
    with ExitStack() as stack:
        engine = stack.enter_context(_engine(backend, model, preset))
        files = [stack.enter_context(_open(folder, name, song.samplerate)) for name in ("mix", *engine.stems)]
        skip, left = engine.latency.engine, int(song.frames)
        for block in _blocks(song, block_size, skip):
            buses = backend.feed(block)[..., skip:][..., :left]
            skip = max(0, skip - block.shape[1])
            left -= buses.shape[2]
            for file, bus in zip(files, buses, strict=True):
                file.write(bus.T)
    return int(song.frames)


def _engine(backend: OfflineBackend, model: str, preset: str) -> Engine:
    """Return an engine whose faders are where a preset has them before the first frame."""
    chains = load_preset(preset).chains if preset else None
    engine = Engine(backend, EngineConfig(model=model, worker="inline", chains=chains or None))
    try:
        if preset:
            engine.take(load_preset(preset, stems=engine.stems))
    except BaseException:
        engine.stop()
        raise
    return engine


def _blocks(song: soundfile.SoundFile, block_size: int, latency: int) -> Iterator[Block]:
    """Give the song in whole blocks, and silence after it until its last frame has come out."""
    for block in song.blocks(_FEED_BLOCKS * block_size, dtype="float32", always_2d=True):
        sides = block.T if block.shape[1] == 2 else np.repeat(block.T, 2, axis=0)
        yield np.pad(sides, ((0, 0), (0, -block.shape[0] % block_size)))
    yield np.zeros((2, latency + -latency % block_size), np.float32)


def _open(folder: Path, name: str, sample_rate: int) -> soundfile.SoundFile:
    return soundfile.SoundFile(folder / f"{name}.wav", "w", sample_rate, 2, subtype="FLOAT")
