"""Pedalboard is optional, and imported where effects load."""

import inspect
import subprocess
import sys
from pathlib import Path

import stream_sep


def test_loader_without_pedalboard_names_the_remedy_and_stems_pass():
    code = (
        "import sys; sys.modules['pedalboard'] = None\n"
        "from stream_sep.effects.chained_separator import load_chained\n"
        "from stream_sep.errors import SeparatorError\n"
        "separator = load_chained(separator='passthrough', reserve=10)\n"
        "for plugin in ('Reverb', '/x.vst3'):\n"
        "    try: separator.set_chains({'vocals': [{'plugin': plugin}]})\n"
        "    except SeparatorError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("-m pip install") == 2


def test_importing_the_package_does_not_import_pedalboard():
    code = (
        "import sys, stream_sep.effects.chained_separator; print([m for m in sys.modules if m[:10] == 'pedalboard'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_module_imports_pedalboard():
    package = Path(inspect.getfile(stream_sep)).parent
    importing = [path for path in package.rglob("*.py") if "import pedalboard as" in path.read_text()]
    assert [str(path.relative_to(package)) for path in importing] == [str(Path("effects", "pedalboard_chain.py"))]
