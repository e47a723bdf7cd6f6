"""The user's folders: one name, and folders of older names move there with their files."""

import platformdirs
import pytest

from stream_sep.folders import cache_folder, config_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folders of a user who has none yet; the kind (config, cache) and the name make the path."""

    def path(kind):
        return lambda name, appauthor=None: (
            tmp_path / kind / name if appauthor is False else tmp_path / kind / "by" / name
        )

    monkeypatch.setattr(platformdirs, "user_config_path", path("config"))
    monkeypatch.setattr(platformdirs, "user_cache_path", path("cache"))
    return tmp_path


def test_folders_have_one_name(home):
    assert config_folder() == home / "config" / "stream-sep"
    assert cache_folder() == home / "cache" / "stream-sep"


def test_old_config_folder_is_moved(home):
    old = home / "config" / "stream_sep"
    (old / "presets").mkdir(parents=True)
    (old / "presets" / "mine.toml").write_text("schema = 1\n")
    assert (config_folder() / "presets" / "mine.toml").read_text() == "schema = 1\n"
    assert not old.exists()


def test_old_cache_folder_is_moved(home):
    old = home / "cache" / "by" / "stream-sep"
    (old / "stems" / "song").mkdir(parents=True)
    assert (cache_folder() / "stems" / "song").is_dir()
    assert not old.exists()


def test_what_the_new_folder_holds_already_is_kept(home):
    old, new = home / "config" / "stream_sep", home / "config" / "stream-sep"
    for folder, text in ((old, "old"), (new, "new")):
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(text)
    (old / "midi").mkdir()
    assert (config_folder() / "config.toml").read_text() == "new"
    assert (new / "midi").is_dir()
    assert (old / "config.toml").read_text() == "old"
