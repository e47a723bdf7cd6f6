"""The notebook runs from top to bottom, and a second time, where its parts are there already."""

import json
import subprocess
import sys
from pathlib import Path

from requirements import require_package

NOTEBOOK = Path(__file__).parent.parent / "examples/pipeline.ipynb"

require_package("torch", "train")
require_package("h5py", "train")


def test_the_notebook_runs_from_top_to_bottom_and_again(tmp_path):
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    ended = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
        )
        assert done.returncode == 0, done.stderr
        ended.append(done.stdout)
    assert "song3 - Track00003 is in the cache" in ended[0]
    assert "trained already" in ended[1]
    assert "('drums', 'no_drums') (2, 2, 96000)" in ended[1]
    stems = list((tmp_path / "drums/stems").rglob("*.wav"))
    assert sorted(stem.stem for stem in stems) == ["drums", "no_drums"]
