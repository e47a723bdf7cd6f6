"""Untrusted files: playlists, bombs, decoders that hang, and what the process that reads them may do."""

import json
import os
import shutil
import socket
import sys

import numpy as np
import pytest
import soundfile
import waiting
from processes import is_running
from requirements import require
from web_service import song_bytes

from bridge.web.problems import Problem
from bridge.web.service import landlock, sandbox, sandbox_child
from bridge.web.service.sandbox import decode_song, probe_song
from stream_sep.files.ffmpeg import INSTALL


@pytest.fixture
def _ffmpeg():
    require(shutil.which("ffmpeg"), INSTALL)


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXTINF:20,\n{secret}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{secret}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    '<Representation id="1"><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>',
}


@pytest.mark.usefixtures("_ffmpeg")
@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("ending", ["mp3", "wav", "m3u8", "flac"])
def test_playlists_are_no_songs(tmp_path, kind, ending):
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(song_bytes(20.0, form="MP3"))
    song = tmp_path / f"song.{ending}"
    song.write_text(PLAYLISTS[kind].format(secret=secret))
    with pytest.raises(Problem) as refused:
        probe_song(song, 1200, tmp_path)
    assert refused.value.code == "not-audio"
    (tmp_path / "out").mkdir()
    with pytest.raises(Problem):
        decode_song(song, tmp_path / "out", 1200)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_small_file_that_is_hours_long_ends_at_the_limit(tmp_path):
    silence = tmp_path / "silence.flac"
    with soundfile.SoundFile(silence, "w", 44100, 2, format="FLAC") as file:
        for _ in range(60):
            file.write(np.zeros((44100 * 60, 2), np.int16))
    assert silence.stat().st_size < 1_000_000
    (tmp_path / "out").mkdir()
    with pytest.raises(Problem) as refused:
        decode_song(silence, tmp_path / "out", 120)
    assert refused.value.code == "too-long"
    assert list((tmp_path / "out").iterdir()) == []


def fake_program(folder, name, text):
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)


@pytest.fixture
def fake_ffmpeg(tmp_path, monkeypatch):
    """A function that puts a program of ours in place of ffmpeg and ffprobe, then decodes a song that needs them."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "bin").mkdir()
    song = tmp_path / "song.m4a"
    song.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))

    def decode(text):
        for name in ("ffmpeg", "ffprobe"):
            fake_program(tmp_path / "bin", name, text)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        with pytest.raises(Problem) as refused:
            decode_song(song, out, 1200)
        assert refused.value.code == "not-audio"
        return refused.value.detail

    decode.song, decode.out = song, out
    return decode


def test_a_decoder_that_hangs_is_killed_with_all_it_started(fake_ffmpeg, monkeypatch):
    marker = fake_ffmpeg.out / "alive"
    monkeypatch.setattr(sandbox, "_DECODE_SECONDS", 8.0)
    hang = f"import time, pathlib, os\npathlib.Path({str(marker)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    assert "too long" in fake_ffmpeg(hang)
    pid = int(marker.read_text())
    waiting.until(lambda: not is_running(pid))


TRY_ALL = """
import json, os, pathlib, signal, socket, sys
def connect():
    socket.create_connection(("127.0.0.1", {port}), timeout=5).close()
attempts = {{
    "the song": lambda: pathlib.Path({song!r}).read_bytes(),
    "its own folder": lambda: pathlib.Path({out!r}, "x").write_text("x"),
    "another file": lambda: pathlib.Path({other!r}).read_bytes(),
    "another folder": lambda: os.listdir({folder!r}),
    "a new file": lambda: pathlib.Path({folder!r}, "new").write_text("x"),
    "the song itself": lambda: pathlib.Path({song!r}).write_bytes(b"x"),
    "the environment of the service": lambda: pathlib.Path("/proc/{pid}/environ").read_bytes(),
    "a server": connect,
    "a signal": lambda: os.kill({pid}, 0),
}}
done = []
for name, attempt in attempts.items():
    try:
        attempt()
        done.append(name)
    except OSError:
        pass
pathlib.Path({out!r}, "done.json").write_text(json.dumps(done))
sys.exit(1)
"""


def test_the_child_reads_no_other_file(tmp_path, fake_ffmpeg):
    require(landlock.version(), "needs Landlock: Linux 5.13 or newer")
    other = tmp_path / "serve.db"
    other.write_bytes(b"of everybody")
    values = {
        "song": str(fake_ffmpeg.song),
        "out": str(fake_ffmpeg.out),
        "other": str(other),
        "folder": str(tmp_path),
    }
    with socket.create_server(("127.0.0.1", 0)) as server:
        fake_ffmpeg(TRY_ALL.format(**values, port=server.getsockname()[1], pid=os.getpid()))
    can = set(json.loads((fake_ffmpeg.out / "done.json").read_text()))
    since = {"a server": 4, "a signal": 6}  # versions of Landlock
    assert can - {what for what, first in since.items() if landlock.version() < first} == {
        "the song",
        "its own folder",
    }


def test_the_child_has_limits_and_a_bare_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAM_SEP_DATABASE", "postgresql://user:secret@host/x")
    probe = tmp_path / "child.py"
    probe.write_text(
        "import importlib.util, json, os, resource, sys\n"
        f"spec = importlib.util.spec_from_file_location('child', {sandbox_child.__file__!r})\n"
        "child = importlib.util.module_from_spec(spec); spec.loader.exec_module(child); child._limit()\n"
        "kinds = ('AS', 'CPU', 'FSIZE', 'NOFILE', 'CORE')\n"
        "limits = {kind: resource.getrlimit(getattr(resource, 'RLIMIT_' + kind))[0] for kind in kinds}\n"
        "facts = {'env': sorted(os.environ), 'cwd': os.getcwd(), 'isolated': sys.flags.isolated}\n"
        "print(json.dumps({'limits': limits, **facts}))"
    )
    monkeypatch.setattr(sandbox, "_CHILD", probe)
    result = sandbox._run([], tmp_path, 30.0, lambda: None)
    assert result["limits"] == {"AS": 2 << 30, "CPU": 300, "FSIZE": 3 << 30, "NOFILE": 64, "CORE": 0}
    assert "STREAM_SEP_DATABASE" not in result["env"]
    assert "HOME" not in result["env"]
    assert (result["cwd"], result["isolated"]) == (str(tmp_path), 1)


def test_a_child_that_eats_memory_ends_and_is_reported(tmp_path, monkeypatch):
    greedy = tmp_path / "child.py"
    greedy.write_text(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\nx = bytearray(1 << 30)\n"
    )
    monkeypatch.setattr(sandbox, "_CHILD", greedy)
    with pytest.raises(Problem, match="exceeds the limits of this server"):
        sandbox._run([], tmp_path, 30.0, lambda: None)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_headers_give_an_error_message(tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(song_bytes(1.0, form=["FLAC", "WAV", "OGG", "MP3"][seed % 4]))
    for at in rng.integers(0, min(len(data), 400), 20):
        data[at] = rng.integers(0, 256)
    song = tmp_path / "song"
    song.write_bytes(data)
    codes = {"fine", "not-audio", "too-long"}
    try:
        found = "fine" if probe_song(song, 1200, tmp_path).seconds >= 0 else "a negative length"
    except Problem as problem:
        found = problem.code
    assert found in codes


@pytest.mark.parametrize(
    ("rate", "kept"), [(44100, 44100), (48000, 48000), (96000, 48000), (22050, 44100), (8000, 44100)]
)
def test_songs_come_out_stereo_at_44_or_48_khz(tmp_path, rate, kept):
    song, out = tmp_path / "song", tmp_path / "out"
    song.write_bytes(song_bytes(1.0, rate=rate, form="WAV"))
    out.mkdir()
    decoded = decode_song(song, out, 1200)
    info = soundfile.info(out / "source.flac")
    assert (decoded.sample_rate, info.samplerate, info.channels, info.subtype) == (kept, kept, 2, "PCM_24")
    assert abs(info.frames - kept) < 50


def test_tags_lose_what_does_not_print():
    assert sandbox_child._clean("A\x00b\u202ec\n") == "Abc"
