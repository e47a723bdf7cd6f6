"""Writes the reference pages that are made from the code: ``python tools/reference [FOLDER]``.

The docs build calls it. What it writes is committed, for readers of the repository; a test compares both.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this tree, even where another one is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

from command_line import command_line_pages
from config_tables import environment_page, errors_page, midi_map_page, preset_page, training_page
from control_tables import control_page, osc_page

DEFAULT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "generated"


def write_pages(folder: Path) -> list[Path]:
    """Write every generated page into ``folder``; return the files."""
    pages = {
        **command_line_pages(),
        "control-tree": control_page(),
        "osc-addresses": osc_page(),
        "presets": preset_page(),
        "midi-maps": midi_map_page(),
        "training-config": training_page(),
        "environment": environment_page(),
        "errors": errors_page(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages.items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
        written.append(file)
    return written


if __name__ == "__main__":
    for page in write_pages(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT):
        print(page)
