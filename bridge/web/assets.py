"""The static files of the pages: their addresses, and the HTML that refers to them.

Every file is served under a hash of all of them and may be cached for ever; the HTML is read anew each time and so
never mixes versions.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import posixpath
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, HTMLResponse, Response

from bridge.web.problems import problem
from bridge.web.security import content_security_policy

if TYPE_CHECKING:
    from starlette.requests import Request

FOLDER = Path(__file__).with_name("assets")
_SERVED = {".js", ".css", ".woff2", ".svg", ".png", ".webmanifest", ".flac", ".bin", ".json"}
_IMPORT = re.compile(r"""^\s*(?:import|export)\b[^'"]*?["'](\.[^"']+|[a-z@][^"']*)["']""", re.MULTILINE)
_VENDORED = {
    "lit": "vendor/lit/index.js",
    "lit/directives/live.js": "vendor/lit/directives/live.js",
    "lit-html": "vendor/lit-html/lit-html.js",
    "lit-html/": "vendor/lit-html/",
    "lit-element/lit-element.js": "vendor/lit-element/lit-element.js",
    "@lit/reactive-element": "vendor/reactive-element/reactive-element.js",
}
_FOREVER = "public, max-age=31536000, immutable"


class Assets:
    """The files below a folder, under addresses that change with their content.

    Args:
        folder: ``pages/*.html`` are templates, all else is served.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        paths = (path for path in sorted(folder.rglob("*")) if path.suffix in _SERVED and path.is_file())
        self._files = {path.relative_to(folder).as_posix(): path for path in paths}

    @cached_property
    def version(self) -> str:
        """A hash of all files."""
        digest = hashlib.blake2b(digest_size=8)
        for name, path in self._files.items():
            digest.update(name.encode() + b"\0" + hashlib.blake2b(path.read_bytes()).digest())
        return digest.hexdigest()

    @property
    def root(self) -> str:
        """The prefix of all files' addresses."""
        return f"/a/{self.version}/"

    @cached_property
    def import_map(self) -> str:
        """The JSON that resolves the vendored modules' bare names."""
        return json.dumps({"imports": {name: self.root + path for name, path in _VENDORED.items()}})

    @property
    def policy(self) -> str:
        """The Content-Security-Policy of the pages."""
        return content_security_policy(self.import_map)

    def page(self, name: str, status: int = 200) -> Response:
        """Return a page: ``pages/NAME.html`` with its modules preloaded.

        Args:
            name: name of the page.
            status: HTTP status.
        """
        return HTMLResponse(self.html(name), status, {"Cache-Control": "no-cache"})

    def html(self, name: str) -> str:
        """Return the text of a page."""
        template = (self._folder / "pages" / f"{name}.html").read_text("utf-8")
        entry = re.search(r'type="module" src="\{root\}(js/[^"]+)"', template)
        modules = self._imported(entry[1]) if entry else ()
        preloads = "\n".join(f'<link rel="modulepreload" href="{self.root}{module}">' for module in modules)
        head = f'<script type="importmap">{self.import_map}</script>\n{preloads}'
        return template.replace("{modules}", head).replace("{root}", self.root)

    async def serve(self, request: Request) -> Response:
        """Handle a request for ``/a/{version}/{path}``."""
        path = self._files.get(request.path_params["path"])
        if path is None or request.path_params["version"] != self.version:
            hint = "Reload the page: it is of another version."
            return problem(404, "not-found", "File not found.", hint)
        media_type = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
        return FileResponse(path, headers={"Cache-Control": _FOREVER}, media_type=media_type)

    def _imported(self, entry: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        waiting = [entry]
        while waiting:
            module = waiting.pop()
            if module in found or module not in self._files:
                continue
            found[module] = None
            source = self._files[module].read_text("utf-8")
            waiting += [_resolve(module, name) for name in _IMPORT.findall(_spread(source))]
        return tuple(found)


def _spread(source: str) -> str:
    """Put each import of a minified module on its own line."""
    return re.sub(r";?\b(import|export)\b", r"\n\1", source)


def _resolve(module: str, name: str) -> str:
    if name.startswith("."):
        return posixpath.normpath(posixpath.join(posixpath.dirname(module), name))
    longest = max((known for known in _VENDORED if name == known or _is_below(name, known)), key=len, default="")
    return _VENDORED[longest] + name.removeprefix(longest) if longest else name


def _is_below(name: str, known: str) -> bool:
    return known.endswith("/") and name.startswith(known)
