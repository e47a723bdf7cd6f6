"""Ramps of gains, whose values are computed, in a browser that reports stale ones."""

import contextlib

import pytest

_RAMP = """async ({root}) => {
  const {Ramp} = await import(root + "js/player/ramp.js");
  const context = new OfflineAudioContext(1, 32000, 8000);
  const gain = new GainNode(context);
  const one = new ConstantSourceNode(context);
  one.connect(gain).connect(context.destination);
  one.start();
  const ramp = new Ramp(gain.gain);
  Object.defineProperty(gain.gain, "value", {get: () => 1}); // as in Firefox before it was mended
  ramp.moveTo(0, 0.5, 1); // at 1.0 s it is at a half, and turns round; what was planned before is forgotten
  ramp.moveTo(1, 1.0, 1);
  ramp.append(0.25, 0.75, 2.5, 1);
  const rendered = (await context.startRendering()).getChannelData(0);
  return [0.2, 0.9, 1.0, 1.5, 2.2, 2.4, 2.9, 3.9].map((time) => [ramp.valueAt(time), rendered[time * 8000]]);
}"""


def test_ramp_leaves_from_where_the_one_before_it_is(chromium, serve_modules):
    address, root = serve_modules()
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(address)
        found = page.evaluate(_RAMP, {"root": root})
    rendered = [level for _, level in found]
    assert rendered == pytest.approx([1, 1, 0.5, 0.75, 1, 1, 0.45, 0.75], abs=0.01)
