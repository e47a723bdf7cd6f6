"""The player's sound in Firefox and WebKitGTK: pieces and loops are joined to the frame, ramps leave no step."""

import base64
import io

import numpy as np
import pytest
import soundfile
from starlette.responses import Response
from starlette.routing import Route

RATE = 44100
PIECE = RATE // 2
PIECES = 4

_RENDER = """(async ([root, rate, pieceFrames, count, loop, length]) => {
  const {StemMixer} = await import(root + "js/player/mixer.js");
  const {Player} = await import(root + "js/player/player.js");
  const context = new OfflineAudioContext(2, length, rate);
  const mixer = new StemMixer(context, ["vocals"], {metered: false});
  const pieces = Object.assign(new EventTarget(), {ready: new Map(), backingOff: new Set(), request() {}});
  pieces.get = (number) => pieces.ready.get(number);
  for (let number = 0; number < count; number++) {
    const body = await (await fetch(`/piece/${number}`)).arrayBuffer();
    pieces.ready.set(number, [await context.decodeAudioData(body)]);
  }
  const frames = count * pieceFrames;
  const exact = {margin: 0, fade: 0, lookahead: length / rate};
  const player = new Player({context, mixer, pieces, frames, pieceFrames, ...exact});
  if (loop) player.setLoop({start: loop[0], end: loop[1]});
  await player.play();
  const output = (await context.startRendering()).getChannelData(0);
  const bytes = new Uint8Array(output.buffer, 0, 4 * length);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
})(args)"""


@pytest.fixture(scope="module")
def sound():
    """A whole song of noise, as 16-bit integers."""
    return np.random.default_rng(5).integers(-9000, 9000, PIECES * PIECE).astype(np.int16)


@pytest.fixture(scope="module")
def server(sound, serve_modules):
    def piece(request):
        number = request.path_params["number"]
        file = io.BytesIO()
        part = sound[number * PIECE : (number + 1) * PIECE]
        soundfile.write(file, np.stack([part, part], 1), RATE, format="FLAC", subtype="PCM_16")
        return Response(file.getvalue())

    return serve_modules(Route("/piece/{number:int}", piece))


LOOPS = [(1000, 13345), (PIECE - 500, PIECE + 501), (PIECE, 3 * PIECE + 1), (0, 5000), (3, 4446)]


def test_every_frame_of_pieces_and_loops_is_the_songs(browser, server, sound):
    address, root = server
    wrong = {}
    with browser() as page:
        page.goto(address)
        for loop in (None, *LOOPS):
            length = PIECES * PIECE
            text = page.evaluate(_RENDER, root, RATE, PIECE, PIECES, loop, length)
            rendered = np.frombuffer(base64.b64decode(text), np.float32)
            start, end = loop or (0, length)
            turns = np.tile(sound[start:end], length // (end - start) + 1)
            expected = np.concatenate([sound[:start], turns])[:length] / 32768
            wrong[loop] = int((np.abs(rendered - expected) > 1e-6).sum())
    assert wrong == dict.fromkeys(wrong, 0)
