"""Take the pictures of the terminal mixer for the docs: ``python tools/pictures.py [FOLDER]``.

An engine separates the demo song, block by block rather than in real time, so that a busy machine shows no late hop.
After each step the mixer is saved as SVG. Headless Chromium draws these as the frames of ``terminal-mixer.gif``; one
of them is ``terminal-mixer.svg``.
"""

import asyncio
import io
import shutil
import sys
from pathlib import Path
from typing import Any

from stream_sep import Engine, EngineConfig, OfflineBackend
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.files.demo_song import load_demo_song

DEFAULT = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SIZE, WIDTH, COLORS = (96, 26), 900, 64
SLACK = 512
"""Frames, as with a sound card: the offline engine needs none, but the mixer shows the latency."""

BLOCK = 128
STEP = 43 * BLOCK
"""Frames of the song from picture to picture, about an eighth of a second; whole blocks."""

START, PICTURES, STILL = 32, 64, 20
"""Steps before the first picture, while all stems come in; number of pictures; the one that is kept as SVG."""

KEYS = {
    8: ["pagedown"] * 2,
    10: ["pagedown"] * 2,
    12: ["pagedown"] * 2,
    14: ["pagedown"] * 2,
    16: ["pagedown"] * 4,
    30: ["0"],
    36: ["right", "s"],
    48: ["s"],
    52: ["right", "right", "m"],
    60: ["m", "left", "left", "left"],
}
"""Picture -> keys that are pressed before it: vocals down and back, drums alone, no other."""


async def _take_all(engine: Engine, backend: OfflineBackend) -> list[str]:
    """Return the pictures, SVG."""
    song = load_demo_song().mix
    app = ControlPage(engine).app()
    found = []
    async with app.run_test(size=SIZE) as pilot:
        for step in range(START + PICTURES):
            backend.feed(song[:, step * STEP : (step + 1) * STEP])
            for key in KEYS.get(step - START, ()):
                await pilot.press(key)
            await pilot.pause(0.06)
            if step >= START:
                found.append(app.export_screenshot(title="stream-sep live"))
    return found


def _animate(pictures: list[str], file: Path) -> None:
    """Write the pictures as an animated GIF."""
    from PIL import Image  # noqa: PLC0415 - their ImportErrors name the packages
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    path = shutil.which("chromium") or sys.exit("chromium is missing: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": WIDTH})
        frames = [Image.open(io.BytesIO(_draw(page, picture))).convert("RGB") for picture in pictures]
        browser.close()
    palette = _together(frames[STILL :: PICTURES // 4]).quantize(COLORS, Image.Quantize.MAXCOVERAGE)
    first, *others = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    first.save(file, save_all=True, append_images=others, duration=1000 * STEP // 44100, loop=0, optimize=True)


def _together(frames: list[Any]) -> Any:  # noqa: ANN401 - Pillow's
    """Return frames below each other, so that one palette has the colors of all."""
    from PIL import Image  # noqa: PLC0415 - as above

    sheet = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for place, frame in enumerate(frames):
        sheet.paste(frame, (0, place * frame.height))
    return sheet


def _draw(page: Any, picture: str) -> bytes:  # noqa: ANN401 - of playwright, which may be missing
    page.set_content(f"<style>body{{margin:0}}svg{{width:{WIDTH}px;display:block}}</style>{picture}")
    drawn: bytes = page.locator("svg").screenshot()
    return drawn


def main() -> None:
    """Save the pictures of the terminal mixer."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    backend = OfflineBackend(block_size=BLOCK)
    with Engine(backend, EngineConfig(worker="inline", slack=SLACK)) as engine:
        pictures = asyncio.run(_take_all(engine, backend))
    (folder / "terminal-mixer.svg").write_text(pictures[STILL], encoding="utf-8")
    _animate(pictures, folder / "terminal-mixer.gif")
    print(folder / "terminal-mixer.svg", folder / "terminal-mixer.gif")


if __name__ == "__main__":
    main()
