"""``stream-sep render``: the live engine driven as fast as it can, from a file to stem files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console

from stream_sep.config import EngineConfig
from stream_sep.engine import Engine
from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.io.offline import OfflineBackend
from stream_sep.separators import DEFAULT

_FEED_SECONDS = 10


def render(
    file: Annotated[Path, typer.Argument(help="a song")],
    out: Annotated[Path | None, typer.Option(help="folder for the stems; named after the song unless given")] = None,
    model: Annotated[str, typer.Option(help="separator")] = DEFAULT,
    block_size: Annotated[int, typer.Option(help="frames a block")] = 128,
) -> None:
    """Write the stems of FILE, sample for sample what the live engine plays."""
    folder = out or Path(f"{file.stem}-stems")
    frames = render_file(file, folder, model, block_size)
    Console(soft_wrap=True).print(f"{frames} frames of each stem written to {folder}", highlight=False)


def render_file(file: Path, folder: Path, model: str = DEFAULT, block_size: int = 128) -> int:
    """Drive ``file`` through the engine into ``folder``; return the frames written.

    Memory is bounded by a few seconds of sound, whatever the file's length.

    Raises:
        AudioFileError: the file cannot be read or the folder not written.
        ConfigError: more than two channels.
    """
    try:
        with soundfile.SoundFile(file) as song:
            return _render(song, folder, model, block_size)
    except soundfile.SoundFileError as error:
        raise AudioFileError(f"cannot read {file}: {error}; is it an audio file?") from error


def _render(song: soundfile.SoundFile, folder: Path, model: str, block_size: int) -> int:
    if song.channels > 2:
        raise ConfigError(f"{song.name} has {song.channels} channels; mix it down to two first")
    backend = OfflineBackend(song.samplerate, block_size)
    engine = Engine(backend, EngineConfig(model=model, worker="inline", record=folder))
    with engine:
        delay = engine.latency.engine
        for block in song.blocks(_FEED_SECONDS * block_size * 100, dtype="float32", always_2d=True):
            backend.feed(_stereo(block))
        backend.feed(np.zeros((2, delay), np.float32))
    return int(song.frames)


def _stereo(
    block: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return block.T if block.shape[1] == 2 else np.repeat(block.T, 2, axis=0)
