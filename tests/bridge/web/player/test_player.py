"""The stem player on an OfflineAudioContext in Chromium, against numpy: below -120 dB, loops equal to the frame."""

import base64
import contextlib
import io
import struct

import numpy as np
import pytest
import soundfile
from starlette.responses import Response
from starlette.routing import Route

RATE = 44100
PIECE = 2 * RATE
FRAMES = 5 * PIECE + 12345
STEMS = ["vocals", "drums", "bass", "other"]
NULL = 1e-6  # -120 dB
QUANTUM = 128
SINE_SECONDS = 5.0

_SETUP = """async ({root, frames, pieceFrames, stems, rate, length, steps}) => {
  const {StemMixer} = await import(root + "js/player/mixer.js");
  const {Pieces} = await import(root + "js/player/pieces.js");
  const {Player} = await import(root + "js/player/player.js");
  const context = new OfflineAudioContext(2, length, rate);
  const mixer = new StemMixer(context, stems, {metered: false});
  const pieces = new Pieces(context, (n) => `/pieces/${n}?rate=${rate}`);
  const exact = {margin: 0, fade: 0, lookahead: length / rate};
  const player = new Player({context, mixer, pieces, frames, pieceFrames, ...exact});
  const all = [...Array(Math.ceil(frames / pieceFrames)).keys()];
  player.prefetch = () => {};
  let failed = "";
  pieces.addEventListener("failed", (event) => { failed = event.detail; });
  pieces.request(all);
  while (pieces.ready.size < all.length) {
    if (failed) throw new Error(failed);
    await new Promise((done) => setTimeout(done, 10));
  }
  for (const {at, code} of steps.filter((step) => step.at > 0)) {
    context.suspend(at / rate).then(() => { run(code); context.resume(); });
  }
  const run = ([what, ...args]) => what === "mix" ? mixer.change(...args) : player[what](...args);
  for (const {code} of steps.filter((step) => step.at === 0)) await run(code);
  const output = await context.startRendering();
  const bytes = new Uint8Array(length * 8);
  new Float32Array(bytes.buffer, 0, length).set(output.getChannelData(0));
  new Float32Array(bytes.buffer, length * 4, length).set(output.getChannelData(1));
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def song():
    """Stems of 16 bits as floats, ``(stems, frames, 2)``: noise and sines that no seam could hide in.

    Chromium decodes 16 bits to -1 and +1: positive samples are divided by 32767, the others by 32768.
    """
    rng = np.random.default_rng(3)
    time_ = np.arange(FRAMES) / RATE
    sines = [0.1 * np.sin(2 * np.pi * pitch * time_) for pitch in (110.0, 333.3, 55.5, 1234.5)]
    sound = rng.uniform(-0.12, 0.12, (len(STEMS), FRAMES, 2)) + np.array(sines)[:, :, None]
    samples = np.round(sound * 32767)
    return np.where(samples > 0, samples / 32767, samples / 32768)


@pytest.fixture(scope="module")
def server(song, serve_modules):
    """Serves the player's modules and the song's pieces."""

    def piece(request):
        number = request.path_params["number"]
        part = song[:, number * PIECE : (number + 1) * PIECE]
        body = b""
        for stem in part:
            file = io.BytesIO()
            soundfile.write(file, np.round(stem * 32767).astype(np.int16), RATE, format="FLAC", subtype="PCM_16")
            body += struct.pack("<I", len(file.getvalue())) + file.getvalue()
        return Response(body)

    def sine(request):
        frames = np.arange(request.path_params["number"] * PIECE, (request.path_params["number"] + 1) * PIECE)
        sound = np.where(frames < SINE_SECONDS * RATE, 0.15 * np.sin(2 * np.pi * 440 * frames / RATE), 0.0)
        file = io.BytesIO()
        soundfile.write(file, np.stack([sound, sound], 1), RATE, format="FLAC", subtype="PCM_16")
        return Response((struct.pack("<I", len(file.getvalue())) + file.getvalue()) * len(STEMS))

    return serve_modules(Route("/pieces/{number:int}", piece), Route("/sine/{number:int}", sine))


@pytest.fixture(scope="module")
def page(chromium, server):
    with contextlib.closing(chromium.new_page()) as opened:
        opened.goto(server[0])
        yield opened


@pytest.fixture
def render(page, server):
    """Plays steps, ``(frame of the context, what, arguments...)``, and returns the output, ``(frames, 2)``."""

    def rendered(length, *steps):
        commands = [{"at": at, "code": code} for at, *code in steps]
        options = {"root": server[1], "frames": FRAMES, "pieceFrames": PIECE, "stems": STEMS, "rate": RATE}
        text = page.evaluate(_SETUP, {**options, "length": length, "steps": commands})
        return np.frombuffer(base64.b64decode(text), np.float32).reshape(2, length).T

    return rendered


def error(output, expected):
    return float(np.abs(output - expected).max())


def test_whole_song_in_pieces_equals_the_sum_of_its_stems(song, render):
    output = render(FRAMES + 1000, (0, "play"))
    assert error(output[:FRAMES], song.sum(0)) < NULL
    assert not output[FRAMES:].any()


def test_play_begins_at_the_frame_that_was_sought(song, render):
    first = 3 * PIECE - 77
    output = render(PIECE, (0, "seek", first), (0, "play"))
    assert error(output, song.sum(0)[first : first + PIECE]) < NULL


def test_seek_while_playing_goes_on_at_the_frame(song, render):
    at, target = 100 * QUANTUM, 4 * PIECE + 4321
    output = render(2 * PIECE, (0, "play"), (at, "seek", target))
    mix = song.sum(0)
    assert error(output[: at - 1], mix[: at - 1]) < NULL
    rest = min(len(output) - at, FRAMES - target)
    assert error(output[at : at + rest], mix[target : target + rest]) < NULL


@pytest.mark.parametrize(
    ("start", "end"), [(1000, 13345), (PIECE - 500, PIECE + 500), (PIECE, 3 * PIECE + 1), (0, 5000)]
)
def test_loop_repeats_the_same_frames_for_ever(song, render, start, end):
    length = 6 * RATE
    output = render(length, (0, "setLoop", {"start": start, "end": end}), (0, "seek", start), (0, "play"))
    turn = song.sum(0)[start:end]
    expected = np.tile(turn, (length // len(turn) + 1, 1))[:length]
    assert error(output, expected) < NULL


def test_song_before_a_loop_plays_into_it(song, render):
    start, end, first = 50000, 61000, 20000
    output = render(150000, (0, "setLoop", {"start": start, "end": end}), (0, "seek", first), (0, "play"))
    mix = song.sum(0)
    turns = np.tile(mix[start:end], (20, 1))
    expected = np.concatenate([mix[first:start], turns])[:150000]
    assert error(output, expected) < NULL


def test_loop_set_while_playing_leaves_no_gap_and_loses_no_frame(song, render):
    at, start, end = 200 * QUANTUM, 20000, 33000
    output = render(200000, (0, "play"), (at, "setLoop", {"start": start, "end": end}))
    mix = song.sum(0)
    expected = np.concatenate([mix[:end], np.tile(mix[start:end], (20, 1))])[:200000]
    assert error(output, expected) < NULL


def test_loop_taken_away_while_playing_goes_on_with_the_song(song, render):
    start, end, at = 20000, 33024, 700 * QUANTUM
    loop = (0, "setLoop", {"start": start, "end": end})
    output = render(200000, loop, (0, "play"), (at, "setLoop", None))
    mix = song.sum(0)
    looped = np.concatenate([mix[:end], np.tile(mix[start:end], (20, 1))])[:at]
    here = start + (at - end) % (end - start)
    expected = np.concatenate([looped, mix[here:]])[:200000]
    assert error(output, expected) < NULL


def test_levels_mute_solo_and_pan_are_the_engines(song, render):
    output = render(
        PIECE,
        (0, "mix", "vocals", {"db": -6.0}, False),
        (0, "mix", "drums", {"mute": True}, False),
        (0, "mix", "bass", {"pan": 0.5}, False),
        (0, "mix", "other", {"pan": -1.0, "db": 3.0}, False),
        (0, "mix", "master", {"db": -2.5}, False),
        (0, "play"),
    )
    gains = np.array([[1, 1], [0, 0], [0.5, 1], [1, 0]]) * 10 ** (np.array([-6.0, 0, 0, 3.0]) / 20)[:, None]
    expected = (song[:, :PIECE] * gains[:, None]).sum(0) * 10 ** (-2.5 / 20)
    assert error(output, expected) < NULL


def test_solo_silences_all_others(song, render):
    output = render(PIECE, (0, "mix", "bass", {"solo": True}, False), (0, "play"))
    assert error(output, song[2, :PIECE]) < NULL


def test_mute_is_a_ramp_of_ten_milliseconds(song, render):
    at, ramp = 300 * QUANTUM, 441
    output = render(PIECE, (0, "play"), (at, "mix", "vocals", {"mute": True}))
    mix = song.sum(0)[:PIECE]
    assert error(output[:at], mix[:at]) < NULL
    end = at + ramp + QUANTUM
    assert error(output[end:], (mix - song[0, :PIECE])[end:]) < NULL
    share = (mix - output)[at:end] / song[0, at:end]
    steps = np.diff(np.median(share.reshape(-1, 2), axis=1))
    assert np.abs(steps).max() < 2 / ramp


def test_pause_keeps_the_position(page, server):
    code = _SETUP.replace("return btoa(text);", "return player.position;")
    options = {"root": server[1], "frames": FRAMES, "pieceFrames": PIECE, "stems": STEMS, "rate": RATE}
    at = 100 * QUANTUM
    steps = [{"at": 0, "code": ["play"]}, {"at": at, "code": ["pause"]}]
    assert page.evaluate(code, {**options, "length": PIECE, "steps": steps}) == at


def stretched(page, server, speed, semitones, *, loop=None, length=4 * RATE):
    """The output for a song of one sine, 440 Hz, on all stems, at another speed or pitch."""
    code = _SETUP.replace("for (const {code} of steps.filter((step) => step.at === 0)) await run(code);", _STRETCH)
    options = {"root": server[1], "frames": FRAMES, "pieceFrames": PIECE, "stems": STEMS, "rate": RATE}
    code = code.replace("`/pieces/${n}?rate=${rate}`", "`/sine/${n}`")
    tempo = {"speed": speed, "semitones": semitones, "loop": loop}
    text = page.evaluate(code, {**options, "length": length, "steps": [tempo]})
    output = np.frombuffer(base64.b64decode(text), np.float32).reshape(2, length).T
    return output[np.flatnonzero(np.abs(output[:, 0]) > 1e-3)[0] :]


_STRETCH = """
  const {speed, semitones, loop} = steps[0];
  await player.setTempo(speed, semitones);
  if (loop) player.setLoop(loop);
  await player.play();
  await new Promise((done) => setTimeout(done, 500));
"""


def pitch_of(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return np.argmax(spectrum) * RATE / len(sound)


@pytest.mark.parametrize(("speed", "semitones"), [(0.5, 0), (1.5, 0), (1, 12), (0.8, -5)])
def test_speed_keeps_the_pitch_and_pitch_keeps_the_speed(page, server, speed, semitones):
    output = stretched(page, server, speed, semitones)
    steady = output[RATE // 2 : RATE // 2 + 2 * RATE, 0]
    assert pitch_of(steady) == pytest.approx(440 * 2 ** (semitones / 12), abs=1.0)
    assert np.abs(steady[: RATE // 4]).max() > 0.3


def test_end_of_a_sound_follows_the_speed(page, server):
    ends = {}
    for speed in (0.8, 2.0):
        loud = np.abs(stretched(page, server, speed, 0, length=8 * RATE)[:, 0]) > 0.05
        ends[speed] = (len(loud) - np.argmax(loud[::-1])) / RATE
        assert ends[speed] == pytest.approx(SINE_SECONDS / speed, abs=0.1)
