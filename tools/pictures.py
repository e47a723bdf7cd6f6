"""Take the pictures of the terminal for the docs: ``python tools/pictures.py [FOLDER]``.

A paced engine separates the demo song with the vocals turned down, and the terminal mixer is saved as SVG.
"""

import asyncio
import sys
from pathlib import Path

from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.cli.tui.control_page import ControlPage
from stream_sep.files.demo_song import load_demo_song

DEFAULT = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SECONDS = 6.0
"""Seconds into the song at the picture: all stems are active there."""


async def _take(engine: Engine, size: tuple[int, int]) -> str:
    app = ControlPage(engine).app()
    async with app.run_test(size=size) as pilot:
        await pilot.pause(SECONDS)
        engine.set("stem/vocals/gain_db", -18.0)
        await pilot.press("right")
        await pilot.pause(0.5)
        return app.export_screenshot(title="stream-sep live")


def main() -> None:
    """Save the picture of the terminal mixer."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    with Engine(PacedBackend(), EngineConfig(), source=load_demo_song().mix) as engine:
        picture = asyncio.run(_take(engine, (96, 26)))
    (folder / "terminal-mixer.svg").write_text(picture, encoding="utf-8")
    print(folder / "terminal-mixer.svg")


if __name__ == "__main__":
    main()
