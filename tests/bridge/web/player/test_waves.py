"""The pictures of stems in Chromium, for songs of any length."""

import contextlib

import pytest

HOUR_COLUMNS = 3600 * 44100 // 2048
_DRAW = """async ({root, columns, loud, views}) => {
  const {SpectrogramTiles} = await import(root + "js/player/waves.js");
  const bands = new Uint8Array(columns * 128);
  for (const [column, band] of loud) bands[column * 128 + band] = 255;
  const tiles = new SpectrogramTiles(bands, [255, 0, 0]);
  const canvas = document.createElement("canvas");
  canvas.style.setProperty("width", "1000px");
  canvas.style.setProperty("height", "128px");
  document.body.append(canvas);
  const found = [];
  for (const [first, last] of views) {
    tiles.draw(canvas, {first: first * 2048, last: last * 2048});
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const drawn = new Set();
    for (let at = 3; at < data.length; at += 4) {
      if (data[at] > 20) drawn.add(`${((at - 3) / 4) % canvas.width},${Math.floor((at - 3) / 4 / canvas.width)}`);
    }
    const pixels = [...tiles.tiles.values()].reduce((sum, tile) => sum + tile.width * tile.height, 0);
    found.push({drawn: [...drawn].map((pair) => pair.split(",").map(Number)), pixels});
  }
  canvas.remove();
  return found;
}"""


@pytest.fixture(scope="module")
def draw(chromium, serve_modules):
    """Draws views, ``(first column, last)``, of a spectrogram that is loud at some columns and bands."""
    address, root = serve_modules()
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(address)
        yield lambda columns, loud, *views: page.evaluate(
            _DRAW, {"root": root, "columns": columns, "loud": loud, "views": views}
        )


@pytest.mark.parametrize("column", [0, 1000, HOUR_COLUMNS // 2, HOUR_COLUMNS - 1])
def test_a_sound_in_a_song_of_an_hour_is_drawn_at_its_place(draw, column):
    (whole,) = draw(HOUR_COLUMNS, [(column, 64)], (0, HOUR_COLUMNS))
    assert whole["drawn"]
    for x, y in whole["drawn"]:
        assert x == pytest.approx(column / HOUR_COLUMNS * 1000, abs=2)
        assert y == pytest.approx(127 - 64, abs=1)


def test_zoomed_in_a_column_is_as_wide_as_it_is_long(draw):
    column = 40_000
    (view,) = draw(HOUR_COLUMNS, [(column, 10)], (column - 5, column + 5))
    xs = [x for x, _ in view["drawn"]]
    assert (min(xs), max(xs)) == (pytest.approx(500, abs=60), pytest.approx(600, abs=60))


def test_images_do_not_grow_with_the_song_nor_while_it_plays(draw):
    short = draw(600, [], (0, 600))[0]["pixels"]
    views = [(first, first + 2000) for first in range(0, 60_000, 1000)]
    for view in draw(HOUR_COLUMNS, [], (0, HOUR_COLUMNS), *views):
        assert view["pixels"] <= 5 * short
