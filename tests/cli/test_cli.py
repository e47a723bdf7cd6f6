"""The commands as a user types them: their files, output and failures."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import waiting

from stream_sep import StemSeparator
from stream_sep.files.demo_song import load_demo_song


def run(*arguments, cwd, env=None):
    command = [sys.executable, "-m", "stream_sep", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def test_the_demo_takes_the_vocals_out_after_five_seconds(tmp_path):
    done = run("demo", "--no-audio", "--out", tmp_path / "d", "--duration", "8", "--verbose", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    song, rate = load_demo_song(), 44100
    mix, vocals = read(tmp_path / "d/mix.wav"), read(tmp_path / "d/vocals.wav")
    assert np.array_equal(mix[:, : 4 * rate], song.mix[:, : 4 * rate])
    assert np.abs(vocals[:, 3 * rate : 4 * rate]).max() > 0.01
    assert not vocals[:, 7 * rate : 7 * rate + rate // 2].any() or "late hops" in done.stdout + done.stderr
    assert "measured" in done.stdout
    terms = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if len(line.split()) == 3}
    assert terms["measured"] == terms["total"]


def test_render_gives_the_samples_of_the_library_call(tmp_path):
    song = np.random.default_rng(0).standard_normal((20000, 2)).astype(np.float32) * 0.1
    soundfile.write(tmp_path / "song.wav", song, 48000, subtype="FLOAT")
    done = run("render", "song.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    separator = StemSeparator()
    expected = separator.process(song.T, 48000)
    for name, stem in zip(separator.stems, expected, strict=True):
        assert np.array_equal(read(tmp_path / f"song-stems/{name}.wav"), stem)
    assert np.array_equal(read(tmp_path / "song-stems/mix.wav"), song.T)


def test_render_takes_a_preset(tmp_path):
    song = np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 2))
    soundfile.write(tmp_path / "song.wav", song, 44100, subtype="FLOAT")
    (tmp_path / "soft.toml").write_text("schema = 1\n[stem.other]\ngain_db = -20.0\n")
    done = run("render", "song.wav", "--model", "passthrough", "--preset", "soft.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(read(tmp_path / "song-stems/mix.wav"), 0.1 * song.T, atol=1e-6)


def test_a_render_that_fails_leaves_its_folder_as_it_was(tmp_path):
    song = np.random.default_rng(0).standard_normal((200000, 2)) * 0.1
    soundfile.write(tmp_path / "song.flac", song, 44100)
    whole = (tmp_path / "song.flac").read_bytes()
    (tmp_path / "song.flac").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "stems").mkdir()
    (tmp_path / "stems/mix.wav").write_text("older")
    done = run("render", "song.flac", "--out", "stems", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot read song.flac to its end" in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in (tmp_path / "stems").iterdir()] == ["mix.wav"]
    assert (tmp_path / "stems/mix.wav").read_text() == "older"


FOREIGN, BYTES = "我 Łódź.wav", os.fsdecode(b"caf\xe9.wav")  # no characters of Latin-1, and no UTF-8
names_are_bytes = pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [(FOREIGN, "latin-1"), pytest.param(BYTES, "utf-8", marks=names_are_bytes)],
    ids=["foreign", "bytes"],
)
def test_songs_of_any_name_are_rendered_played_and_separated(tmp_path, name, encoding):
    soundfile.write(os.fsencode(tmp_path / name), 0.1 * np.ones((4410, 2)), 44100)
    (tmp_path / "z.wav").write_bytes(b"no sound")
    environment = {"PYTHONIOENCODING": encoding, "STREAM_SEP_CACHE": str(tmp_path / "cache")}
    for arguments, code in (
        (("render", name, "--model", "passthrough"), 0),
        (("play", name, "z.wav", "--no-audio", "--no-refine", "--model", "passthrough", "--duration", "0.1"), 0),
        (("separate", name, "z.wav", "-n", "bands", "-o", "out"), 1),  # for z.wav alone
        (("render", f"missing {name}"), 1),
        (("play", f"missing {name}", "--no-audio"), 1),
    ):
        done = run(*arguments, cwd=tmp_path, env=environment)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr
    assert len([*tmp_path.glob("*-stems/mix.wav")]) == 1
    assert len([*tmp_path.glob("out/**/vocals.wav")]) == 1


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("touchosc", "stream_sep.tosc"),
        ("open-stage-control", "stream_sep.json"),
        ("reaper", "StreamSep.ReaperOSC"),
        ("cubase", "StreamSep_Stems.js"),
    ],
)
def test_layout_is_written_at_the_path_of_the_option(tmp_path, kind, file):
    done = run("layout", kind, "--folder", tmp_path / "pages", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pages" / file).stat().st_size > 300


def test_bench_measures_what_the_engine_reports(tmp_path):
    done = run("bench", "--seconds", "2", "--json", "--model", "passthrough", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["paced"]["measured_frames"] == figures["paced"]["latency_frames"]["total"]
    assert figures["null_db"] == -300
    assert figures["control_to_sound_frames"] == 0
    assert figures["callback_us"]["p50"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("render", "missing.wav"), "file not found: missing.wav"),
        (("layout", "lemur"), "unknown layout 'lemur'"),
        (("midi", "learn", "nowhere", "stem/vocals/tone"), "stem/vocals/tone"),
        (("presets", "show", "karaoki"), "did you mean 'karaoke'"),
        (("demo", "--silent", "--model", "bandz", "--out", "x"), "did you mean 'bands'"),
        (("demo", "--silent", "--seconds", "-1"), "--duration"),
        (("live", "--sample-rate", "12345"), "12345"),
        (("live", "--latency-class", "psychic"), "psychic"),
        (("live", "--outputs", "main:1"), "main=1,vocals=3"),
        (("live", "--set", "vocals=loud"), "takes a number"),
        (("play", "missing.mp3", "--no-device"), "file not found: missing.mp3"),
        (("play", ".", "--no-device"), "there is no song in the folder"),
        (("play", "x.mp3", "--loop", "0:20", "0:10"), "ends before it begins"),
        (("play", "x.mp3", "--start", "soon"), "invalid time 'soon'"),
        (("play", "x.mp3", "--speed", "9"), "--speed 9 is not from 0.5 to 2"),
        (("play", "x.mp3", "--pitch", "-13"), "--pitch -13 is not from -12 to 12"),
        (("play", "x.mp3", "--backend", "tape"), "unknown backend 'tape'"),
        (("evaluate", "nowhere"), "nowhere"),
    ],
    ids=lambda value: " ".join(value[:4]) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_gives_one_error_message_and_a_failure(arguments, words, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    messages = done.stdout + done.stderr
    assert done.returncode == 1, messages
    assert words in messages
    assert "Traceback" not in messages


def test_play_goes_through_the_songs_and_ends(tmp_path):
    for name, level in (("a.wav", 0.25), ("b.wav", 0.5)):
        soundfile.write(tmp_path / name, np.full((22050, 2), level), 44100, subtype="FLOAT")
    arguments = ("--no-device", "--no-refine", "--osc-port", "0", "--record", "out", "--set", "other=-90")
    done = run("play", ".", "--model", "passthrough", "--start", "0:00.25", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Nothing was lost" in done.stdout
    mix, other = read(tmp_path / "out" / "mix.wav")[0], read(tmp_path / "out" / "other.wav")[0]
    assert not mix[441:].any()
    assert other.shape == mix.shape
    assert mix.shape[0] >= 33075
    assert not list(tmp_path.glob("stream-sep-*"))


def test_play_takes_a_preset_and_a_loop(tmp_path):
    ramp = np.linspace(0, 0.5, 44100, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([ramp, ramp], axis=1), 44100, subtype="FLOAT")
    (tmp_path / "slow.toml").write_text("schema = 1\n[transport]\nloop.start = 0.2\n[stem.other]\ngain_db = -6.0\n")
    arguments = ("--no-device", "--no-refine", "--osc-port", "0", "--record", "out", "--seconds", "2")
    done = run(
        "play", "a.wav", "--model", "passthrough", "--preset", "slow.toml", "--loop", "0.5", "0.7", *arguments,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mix = read(tmp_path / "out" / "mix.wav")[0]
    assert mix.max() < 0.5 * 0.7 * 0.51 + 0.01
    assert mix.shape[0] > 66150


def test_play_follows_the_file_of_its_preset(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full((88200, 2), 0.5), 44100, subtype="FLOAT")
    preset = tmp_path / "mine.toml"
    preset.write_text("schema = 1\n[stem.other]\ngain_db = 0.0\n")
    command = [sys.executable, "-m", "stream_sep", "play", "a.wav", "--model", "passthrough", "--preset", str(preset)]
    command += ["--no-device", "--no-refine", "--osc-port", "0", "--record", "out", "--loop", "0", "1.5"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    mix = tmp_path / "out/mix.wav"
    waiting.until(lambda: mix.exists() and mix.stat().st_size > 200_000)
    preset.write_text("schema = 1\n[stem.other]\ngain_db = -90.0\n")
    waiting.until(lambda: abs(read(mix)[0][-4410:]).max() < 1e-3, every=0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=waiting.PATIENCE)
    assert process.returncode == 130, errors
    played = read(mix)[0]
    assert played.max() == pytest.approx(0.5, abs=1e-3)
    assert abs(played[-4410:]).max() < 1e-3


def test_ctrl_c_stops_the_demo_cleanly_and_keeps_what_was_written(tmp_path):
    command = [sys.executable, "-m", "stream_sep", "demo", "--silent", "--out", str(tmp_path / "d")]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    mix = tmp_path / "d/mix.wav"
    waiting.until(lambda: mix.exists() and mix.stat().st_size > 400_000)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=waiting.PATIENCE)
    assert "Traceback" not in errors
    assert read(mix).shape[1] > 40_000
