"""Sphinx configuration: Markdown pages, API pages from docstrings, reference pages generated from the code."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

project = "stream_sep"
author = "The stream_sep developers"
copyright = author  # noqa: A001 - Sphinx's name
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
]
default_role = "py:obj"  # single back-ticks in docstrings become links
myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 3
intersphinx_mapping = {}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"  # a class documents those of its __init__
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
exclude_patterns = ["_build", "README.md"]
suppress_warnings = ["myst.xref_ambiguous"]
html_theme = "furo"
html_title = "stream_sep"
html_static_path = ["_static"]
html_css_files = ["code.css"]
html_theme_options = {"source_directory": "docs/"}
linkcheck_ignore = [r"http://localhost.*", r"http://127\.0\.0\.1.*", r"http://192\.168.*"]


def _generate(_app):
    """Write the pages that come from the code, so that they never lag behind it."""
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference")], check=True, stdout=subprocess.DEVNULL, cwd=ROOT
    )


def _add_toctrees(_app, _page, source):
    """Replace the mark of a contents page by the sidebar's tree of the pages that it links to.

    Its links are lists and tables below headings, which also read well where Markdown is shown without Sphinx.
    """
    text, mark, after = source[0].partition("<!-- toctree -->")
    if not mark:
        return
    trees = []
    for section in text.split("\n## ")[1:]:
        pages = re.findall(r"^(?:- |\| )\[[^\]]+\]\(([\w/-]+)\.md\)", section, re.MULTILINE)
        if pages:
            caption = section.partition("\n")[0]
            trees.append("\n".join(["```{toctree}", f":caption: {caption}", ":hidden:", "", *pages, "```"]))
    source[0] = text + "\n\n".join(trees) + after


def setup(app):
    """Connect the generator and the trees."""
    app.connect("builder-inited", _generate)
    app.connect("source-read", _add_toctrees)
