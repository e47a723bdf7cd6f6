"""The docs build without a warning, their snippets run, and their links lead somewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from requirements import require_package

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
GENERATED = ROOT / "docs" / "reference" / "generated"


SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets_of(page):
    return SNIPPET.findall(page.read_text(encoding="utf-8"))


SNIPPETS = [(page, number) for page in PAGES for number in range(len(snippets_of(page)))]


@pytest.mark.parametrize(("page", "number"), SNIPPETS, ids=[f"{page.relative_to(ROOT)}-{n}" for page, n in SNIPPETS])
def test_python_snippet_runs_after_those_above_it(page, number, tmp_path):
    text = "\n".join(snippets_of(page)[: number + 1])
    if "set_chains" in text:
        require_package("pedalboard", "effects")
    if (
        "127.0.0.1:9191" in text
    ):  # needs a running service and a token; tests/bridge/web/service makes the same requests
        compile(text, str(page), "exec")
        return
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page):
    found = re.findall(r"\]\(([^)#:\s]+\.(?:md|svg|png|gif))(?:#[\w-]+)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in found if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_a_text(page):
    # Sphinx would insert the title of the page, but a forge that renders the Markdown shows nothing
    assert "[](" not in page.read_text(encoding="utf-8")


INSTALLS_US = re.compile(r"pip install[^\n]*?(?:stream-sep|\.)\[([\w,-]+)\]")
EDITABLE = re.compile(r"pip install (?:--constraint constraints\.txt )?(?:-e|--editable) [\\]?\"\.\[")


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "examples" / "pipeline.ipynb"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_extras_are_installed_from_the_clone_and_exist(page):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for line in page.read_text(encoding="utf-8").splitlines():
        if named := INSTALLS_US.search(line):
            assert set(named[1].split(",")) <= set(extras), line
            assert EDITABLE.search(line), line  # the name is on no package index


def test_readme_fits_a_visit():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_committed_reference_is_what_the_code_says(tmp_path):  # before the build below, which writes it
    subprocess.run([sys.executable, str(ROOT / "tools" / "reference"), str(tmp_path)], check=True, cwd=ROOT)
    committed, written = (
        {page.name: page.read_text(encoding="utf-8") for page in folder.glob("*.md")}
        for folder in (GENERATED, tmp_path)
    )
    stale = sorted(name for name in {**committed, **written} if committed.get(name) != written.get(name))
    assert stale == [], "run 'python tools/reference' and commit docs/reference/generated"


def test_contents_pages_list_every_page():
    docs = ROOT / "docs"
    listed = {
        str((page.parent / f"{link}.md").resolve().relative_to(docs))
        for page in (docs / "index.md", GENERATED / "cli.md")
        for link in re.findall(r"\]\(([\w/-]+)\.md\)", page.read_text(encoding="utf-8"))
    }
    pages = {str(page.relative_to(docs)) for page in PAGES if docs in page.parents}
    assert pages - listed == {"index.md"}


def test_docs_build_with_warnings_as_errors(tmp_path):
    require_package("sphinx", "docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "docs",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees")], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    for page in ("index", "reference/generated/cli-live", "reference/generated/osc-addresses", "reference/api"):
        assert (tmp_path / "site" / f"{page}.html").is_file()


def test_generated_reference_names_every_command_and_address():
    names = {page.stem for page in GENERATED.glob("*.md")}
    assert {"cli-live", "cli-separate", "cli-play"} <= names
    assert "`/stem/STEM/fader`" in (GENERATED / "osc-addresses.md").read_text(encoding="utf-8")
    assert "`stem/STEM/gain_db`" in (GENERATED / "control-tree.md").read_text(encoding="utf-8")
