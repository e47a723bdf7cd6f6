"""What a program may pass by mistake to the Python API is refused with a message; nothing reads past an array."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stream_sep import (
    ConfigError,
    Engine,
    EngineConfig,
    OfflineBackend,
    PacedBackend,
    SeparatorError,
    StemSeparator,
    load_separator,
)

SONG = np.zeros((2, 512), np.float32)
WRONG_TYPES = [
    ((SONG * 32767).astype(np.int16), r"int16; convert it to floats, as in audio / 32768"),
    ("song.mp3", "not str; read files with soundfile"),
    (None, "not NoneType"),
    (SONG.astype(complex), "not an array of complex128"),
]
WRONG_SHAPES = [
    (SONG.T, "transpose it"),
    (SONG[:1], "repeat the channel"),
    (SONG[0], "repeat the channel"),
    (SONG[None], r"of shape \(1, 2, 512\)"),
]
INLINE = EngineConfig(model="passthrough", worker="inline")


@pytest.mark.parametrize(("audio", "words"), [*WRONG_TYPES, (0.5, "not float"), (SONG.T, r"transpose\?")])
def test_separator_refuses_what_is_not_audio(audio, words):
    with pytest.raises(ConfigError, match=words):
        StemSeparator("passthrough").process(audio, 44100)


@pytest.mark.parametrize(("audio", "words"), [*WRONG_TYPES[:2], *WRONG_SHAPES])
def test_offline_backend_refuses_what_is_not_stereo(audio, words):
    backend = OfflineBackend()
    with Engine(backend, INLINE):
        for call in (backend.run, backend.feed):
            with pytest.raises(ConfigError, match=words):
                call(audio)


@pytest.mark.parametrize(("audio", "words"), [*WRONG_TYPES[:2], *WRONG_SHAPES])
def test_engine_and_paced_backend_refuse_a_source_that_is_not_stereo(audio, words):
    with pytest.raises(ConfigError, match=words):
        Engine(OfflineBackend(), INLINE, source=audio)
    with pytest.raises(ConfigError, match=words):
        PacedBackend(sound=audio)


def test_offline_backend_without_an_engine_names_the_remedy():
    backend = OfflineBackend()
    for call in (backend.run, backend.feed):
        with pytest.raises(ConfigError, match="with Engine"):
            call(SONG)


def test_engine_starts_once():
    engine = Engine(OfflineBackend(), INLINE)
    with engine, pytest.raises(ConfigError, match="is running already"):
        engine.start()
    with pytest.raises(ConfigError, match="was stopped"):
        engine.start()


@pytest.mark.parametrize("rate", ["44100", 44100.5, None])
def test_sample_rate_is_a_whole_number(rate):
    with pytest.raises(ConfigError, match="must be a whole number of Hz"):
        load_separator("passthrough", rate)


def test_model_is_a_name_or_a_path(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not weights")
    with pytest.raises(SeparatorError, match=r"notes\.txt is not a weights file"):
        StemSeparator(text)
    with pytest.raises(SeparatorError, match=r"is the path right|not found"):
        StemSeparator(Path("nowhere.safetensors"))
    with pytest.raises(SeparatorError, match="not None"):
        StemSeparator(None)


def test_object_that_is_not_a_separator_is_named_with_what_it_lacks():
    incomplete = SimpleNamespace(stems=("a",), sample_rate=44100, channels=2, hop=128, latency=0)
    with pytest.raises(SeparatorError, match="not a separator: it has no process, reset"):
        Engine(OfflineBackend(), EngineConfig(model=incomplete, worker="inline"))
