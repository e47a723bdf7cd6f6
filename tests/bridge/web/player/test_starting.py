"""The player while its audio context starts: slowly in Firefox or with Bluetooth, perhaps not at all in Safari."""

import contextlib
from functools import partial

import pytest
import waiting

until = partial(waiting.until, every=0.02)

_SETUP = """async ({root}) => {
  const {StemMixer} = await import(root + "js/player/mixer.js");
  const {Player} = await import(root + "js/player/player.js");
  class Slow extends AudioContext {
    resume() {
      return new Promise((done, refused) => { this.go = () => super.resume().then(done); this.refuse = refused; });
    }
  }
  const context = new Slow({sampleRate: 44100});
  await context.suspend();
  const pieceFrames = 22050;
  const pieces = Object.assign(new EventTarget(), {ready: new Map(), backingOff: new Set(), requested: []});
  pieces.get = (number) => pieces.ready.get(number);
  pieces.request = (numbers) => { pieces.requested = numbers; };
  const arrive = () => {
    const silence = new AudioBuffer({length: pieceFrames, sampleRate: 44100});
    for (let number = 0; number < 8; number++) pieces.ready.set(number, [silence]);
    pieces.dispatchEvent(new CustomEvent("piece", {detail: 0}));
  };
  const mixer = new StemMixer(context, ["vocals"], {metered: false});
  const player = new Player({context, mixer, pieces, frames: 8 * pieceFrames, pieceFrames});
  const started = [];
  const {prototype} = AudioBufferSourceNode;
  const {start} = prototype;
  prototype.start = function (...times) { started.push(times[0]); return start.apply(this, times); };
  const restore = () => { prototype.start = start; };
  Object.assign(window, {context, pieces, player, arrive, started, restore});
}"""


@pytest.fixture(scope="module")
def opened(chromium, serve_modules):
    address, root = serve_modules()
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(address)
        yield page, root


@pytest.fixture
def page(opened):
    """A page with a player whose context starts on `context.go()`, and pieces that come on `arrive()`."""
    page, root = opened
    page.evaluate(_SETUP, {"root": root})
    yield page
    page.evaluate("player.pause(); restore(); context.close()")


def state(page):
    return page.evaluate("player.state")


def test_pieces_that_arrive_before_the_context_runs_do_not_end_the_song(page):
    page.evaluate("void player.play()")
    page.evaluate("arrive()")
    assert state(page) == "loading"
    page.evaluate("context.go()")
    until(lambda: state(page) == "playing")
    until(lambda: page.evaluate("player.position") > 0)


def test_seek_and_loop_before_the_context_runs_schedule_nothing_yet(page):
    page.evaluate("arrive(); void player.play(); player.setLoop({start: 30000, end: 60000}); player.seek(40000)")
    assert page.evaluate("[player.state, player.position, started.length]") == ["loading", 40000, 0]
    page.evaluate("context.go()")
    until(lambda: page.evaluate("player.position") > 40000)


def test_pause_before_the_context_runs_stays_a_pause(page):
    page.evaluate("arrive(); void player.play(); player.pause()")
    page.evaluate("context.go()")
    until(lambda: page.evaluate("context.state") == "running")
    page.wait_for_timeout(1000 * waiting.QUIET)
    assert page.evaluate("[player.state, started.length]") == ["paused", 0]


def test_play_pressed_twice_before_the_context_runs_sounds_once(page):
    page.evaluate("arrive(); void player.play(); window.first = context.go; player.pause(); void player.play()")
    page.evaluate("first(); context.go()")
    until(lambda: state(page) == "playing")
    page.wait_for_timeout(1000 * waiting.QUIET)
    starts = page.evaluate("started")
    assert len(starts) == len(set(starts)) > 0


def test_context_that_is_refused_leaves_a_paused_player_that_can_be_played_again(page):
    page.evaluate("arrive(); void player.play(); context.refuse(new Error('a call has the audio'))")
    until(lambda: state(page) == "paused")
    page.evaluate("void player.play(); context.go()")
    until(lambda: state(page) == "playing")


def test_end_of_a_song_of_whole_pieces_requests_no_piece_beyond_it(page):
    page.evaluate("player.seek(player.frames)")
    assert max(page.evaluate("pieces.requested")) == 7


def test_interrupted_player_goes_on_where_it_was(page):
    page.evaluate("arrive(); void player.play(); context.go()")
    until(lambda: page.evaluate("player.position") > 0)
    page.evaluate("context.suspend()")
    assert page.evaluate("[player.scheduling, context.state]") == [True, "suspended"]
    at = page.evaluate("player.position")
    page.evaluate("void player.resume(); context.go()")
    until(lambda: page.evaluate("player.position") > at)
