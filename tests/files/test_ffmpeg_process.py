"""Programs that hang, as on a disk that does not respond."""

import os
from pathlib import Path

import pytest

from stream_sep.errors import AudioFileError
from stream_sep.files import ffmpeg, ffmpeg_process

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the programs")


@pytest.fixture
def hanging_programs(tmp_path, monkeypatch):
    """An ffmpeg and an ffprobe that output nothing for a long time."""
    monkeypatch.setattr(ffmpeg_process, "MAX_SILENCE", 0.3)
    for name in ("ffmpeg", "ffprobe"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\nexec sleep 100\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)


CALLS = {
    "decode": lambda path: next(ffmpeg.decode_blocks(path, channels=2, rate=44100, frames=1024)),
    "probe": ffmpeg.probe_streams,
    "extract": lambda path: ffmpeg.extract_stream(path, 0),
    "write": lambda path: ffmpeg.run_ffmpeg(["-i", "in.wav", str(path)]),
}


@pytest.mark.usefixtures("hanging_programs")
@pytest.mark.parametrize("call", CALLS)
def test_program_that_hangs_is_ended_with_an_error(call):
    with pytest.raises(AudioFileError, match=r"did not respond for 0.3 s with a\.ogg"):
        CALLS[call](Path("a.ogg"))
