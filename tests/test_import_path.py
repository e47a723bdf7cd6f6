"""Objects by import path, installed or in the current folder."""

import subprocess
import sys

import pytest

from stream_sep.import_path import import_object

MODULE = "class Own:\n    stems = ('one',)\n"
LOAD = "import sys; sys.path[:] = [p for p in sys.path if p]; from stream_sep.import_path import import_object; "


def test_object_of_an_installed_module_is_imported():
    assert import_object("sys:path") is sys.path


def test_module_in_the_current_folder_is_found_after_installed_ones(tmp_path):
    (tmp_path / "own_thing.py").write_text(MODULE)
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')\n")
    code = LOAD + "print(import_object('own_thing:Own').stems, import_object('json:loads')('3'), sys.path[-1])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["('one',)", "3", str(tmp_path.resolve())]


@pytest.mark.parametrize(
    ("path", "error"),
    [("own_nowhere:Own", ModuleNotFoundError), ("json:nothing", AttributeError), (":Own", ValueError)],
)
def test_path_of_nothing_is_an_error_and_leaves_the_search_path(path, error):
    before = list(sys.path)
    with pytest.raises(error):
        import_object(path)
    assert sys.path == before


def test_module_that_fails_to_import_something_is_named(tmp_path, monkeypatch):
    (tmp_path / "own_broken.py").write_text("import own_missing\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="own_missing"):
        import_object("own_broken:Own")
