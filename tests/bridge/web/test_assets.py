"""The pages' files: their addresses, and no change to vendored ones."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from bridge.web.assets import FOLDER, Assets

ROOT = Path(__file__).parents[3]
PAGES = sorted(path.stem for path in (FOLDER / "pages").glob("*.html"))


def _vendor():
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "tools" / "vendor.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["vendor"] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_inline_script_or_style_and_names_only_files_there_are(name):
    assets = Assets()
    html = assets.html(name)
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html) == ['<script type="importmap">']
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    named = [path.removeprefix(assets.root) for path in re.findall(r'(?:src|href)="([^"]+)"', html) if "/a/" in path]
    assert named
    assert [path for path in named if path not in assets._files] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_module_of_a_page_is_preloaded(name):
    assets = Assets()
    names = set(re.findall(r'rel="modulepreload" href="/a/\w+/([^"]+)"', assets.html(name)))
    entry = re.search(r'type="module" src="/a/\w+/([^"]+)"', assets.html(name))[1]
    assert entry in names
    assert "vendor/lit-html/lit-html.js" in names
    assert "vendor/lit-element/lit-element.js" in names


def test_every_file_that_styles_and_scripts_name_is_there():
    for path in [*FOLDER.glob("css/*.css"), *FOLDER.glob("js/**/*.js")]:
        text = path.read_text("utf-8")
        for name in re.findall(r'url\("([^"]+)"\)|from "(\.[^"]+)"|import "(\.[^"]+)"', text):
            assert (path.parent / "".join(name)).exists(), f"{path.name} names {name}"


def test_version_changes_with_any_file(tmp_path):
    (tmp_path / "a.js").write_text("1")
    first = Assets(tmp_path).version
    (tmp_path / "a.js").write_text("2")
    assert Assets(tmp_path).version != first


def test_vendored_files_match_the_lock():
    vendor = _vendor()
    assert vendor.check(vendor.FOLDER) == []


def test_vendored_file_that_changed_is_named(tmp_path):
    vendor = _vendor()
    (tmp_path / "lock.json").write_text(
        '[{"name": "x", "licence": "GPL-3.0", "files": {"x/a.js": "00", "x/b.js": "00"}}]'
    )
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.js").write_text("")
    (tmp_path / "x" / "c.js").write_text("")
    found = " ".join(vendor.check(tmp_path))
    for word in ("GPL-3.0", "x/a.js: its sha256", "x/b.js: missing", "x/c.js: not in"):
        assert word in found
