"""``stream-sep layout``: control surface layouts and DAW files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.protocols import STEMS


def layout(
    kind: Annotated[str, typer.Argument(help="touchosc, open-stage-control, reaper or cubase")],
    folder: Annotated[Path, typer.Option(help="output folder")] = Path(),
    stems: Annotated[str, typer.Option(help="stem names, in order")] = ",".join(STEMS),
) -> None:
    """Write fader layouts and DAW files. They are for TouchOSC, Open Stage Control, REAPER and Cubase."""
    from bridge.daws.assets import DAW_FILES, write_daw_files
    from bridge.layouts.layout import LAYOUTS

    if kind in LAYOUTS:
        written = [_page(kind, folder, tuple(stem.strip() for stem in stems.split(",") if stem.strip()))]
    elif kind in DAW_FILES:
        written = list(write_daw_files(kind, folder))
    else:
        raise ConfigError(f"unknown layout {kind!r}; choose from {', '.join((*LAYOUTS, *DAW_FILES))}")
    for path in written:
        print(f"written to {path}")


def _page(kind: str, folder: Path, stems: tuple[str, ...]) -> Path:
    from bridge.layouts.layout import LAYOUTS
    from bridge.layouts.layout import layout as page

    content, path = page(kind, stems), folder / LAYOUTS[kind][0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise AudioFileError(f"cannot write {path}: {reason(error)}; choose another --folder") from error
    return path
