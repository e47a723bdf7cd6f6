"""WebDriver's commands, to Firefox by its built-in Marionette and to WebKitGTK by WebKitWebDriver.

Both understand the same ones, so that one page object serves both, without a driver from elsewhere.
"""

import contextlib
import itertools
import json
import socket
import urllib.error
import urllib.request

import waiting

PATIENCE = 90.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_KEYS = {"Escape": "\ue00c", "ArrowDown": "\ue015", "Shift": "\ue008", "Enter": "\ue007"}
_FIND = """(() => {
  const [css, text] = args[0].split(" >> ");
  const shown = [...document.querySelectorAll(css)].filter((one) => one.getClientRects().length);
  const found = shown.find((one) => !text || one.textContent.includes(text));
  if (!found) return null;
  found.scrollIntoView({block: "center"}); // clear of what sticks to the edges
  const {left, top, width, height} = found.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
})()"""
_RUN = """const args = [...arguments], done = args.pop();
Promise.resolve().then(async () => (%s)).then((value) => done({value}), (error) => done({error: String(error)}));"""


class WebDriverError(Exception):
    """What a browser refused to do."""


class Page:
    """The one page of a browser.

    Args:
        command: sends a command of WebDriver by its name in Marionette, and returns the response.
        problems: returns the errors and broken policies that the browser has reported.
        downloads: the folder of its downloads.
    """

    def __init__(self, command, problems, downloads):
        self.command, self.problems, self.downloads = command, problems, downloads
        command("WebDriver:SetTimeouts", {"script": 1000 * PATIENCE})

    def goto(self, address):
        """Open an address."""
        self.command("WebDriver:Navigate", {"url": address})

    def evaluate(self, expression, *args):
        """Return the value of an expression, whose promise is awaited; ``args`` are its array ``args``."""
        response = self.command("WebDriver:ExecuteAsyncScript", {"script": _RUN % expression, "args": list(args)})
        if "error" in response:
            raise WebDriverError(response["error"])
        return response.get("value")

    def until(self, expression, *args):
        """Wait until an expression is true."""
        waiting.until(lambda: self.evaluate(expression, *args), patience=PATIENCE, every=0.05)

    def place(self, selector):
        """Wait for a visible element, and return its middle; ``button >> Save`` is a button with that text."""
        self.until(f"{_FIND} !== null", selector)
        return self.evaluate(_FIND, selector)

    def click(self, selector):
        """Click on an element."""
        self.drag(selector)

    def drag(self, selector, *moves, kind="mouse", times=1):
        """Press a pointer on an element, move it by ``(right, down)``, and release it, so many times."""
        x, y = self.place(selector)
        steps = []
        for _ in range(times):
            steps += [_move(x, y), {"type": "pointerDown", "button": 0}]
            for right, down in itertools.accumulate(moves, lambda sum_, move: (sum_[0] + move[0], sum_[1] + move[1])):
                steps.append(_move(x + right, y + down))
            steps.append({"type": "pointerUp", "button": 0})
        self._act({"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": steps})

    def press(self, *keys):
        """Press keys one after the other, such as ``"a"`` or ``"Escape"``."""
        values = [_KEYS.get(key, key) for key in keys]
        strokes = itertools.chain.from_iterable((("keyDown", value), ("keyUp", value)) for value in values)
        self._act(
            {"type": "key", "id": "keys", "actions": [{"type": kind, "value": value} for kind, value in strokes]}
        )

    def fill(self, selector, text):
        """Type into a field."""
        self.click(selector)
        self.press(*text)

    def choose_file(self, selector, path):
        """Choose a file in a field."""
        found = self.command("WebDriver:FindElement", {"using": "css selector", "value": selector})
        self.command("WebDriver:ElementSendKeys", {"id": found[_ELEMENT], "text": str(path)})

    def _act(self, source):
        self.command("WebDriver:PerformActions", {"actions": [source]})


def _move(x, y):
    return {"type": "pointerMove", "x": round(x), "y": round(y), "origin": "viewport", "duration": 0}


class Marionette:
    """Firefox's side: JSON over TCP, each message with its length."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=2 * PATIENCE)
        self._file = self._socket.makefile("rb")
        self._numbers = itertools.count(1)
        self._read()  # its greeting
        self("WebDriver:NewSession", {"capabilities": {}})

    def __call__(self, name, parameters):
        message = json.dumps([0, next(self._numbers), name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        if error:
            raise WebDriverError(f"{name}: {error['message']}")
        return result["value"] if set(result or ()) == {"value"} else result

    def _read(self):
        digits = b"".join(iter(lambda: self._file.read(1), b":"))
        return json.loads(self._file.read(int(digits)))

    def in_chrome(self, script, *args):
        """Run a script in the browser's own window, which has its console and the size of its page."""
        self("Marionette:SetContext", {"value": "chrome"})
        try:
            return self("WebDriver:ExecuteScript", {"script": script, "args": list(args)})
        finally:
            self("Marionette:SetContext", {"value": "content"})

    def close(self):
        """Quit Firefox."""
        with contextlib.suppress(OSError, ValueError, WebDriverError):
            self("Marionette:Quit", {"flags": ["eForceQuit"]})
        self._file.close()
        self._socket.close()


_PATHS = {
    "WebDriver:Navigate": "/url",
    "WebDriver:ExecuteAsyncScript": "/execute/async",
    "WebDriver:PerformActions": "/actions",
    "WebDriver:FindElement": "/element",
    "WebDriver:ElementSendKeys": "/element/{id}/value",
    "WebDriver:SetTimeouts": "/timeouts",
    "WebDriver:SetWindowRect": "/window/rect",
}


class WebDriver:
    """WebKitWebDriver's side: HTTP."""

    def __init__(self, port, options):
        self._base = f"http://127.0.0.1:{port}/session"
        session = self._send("", {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}})
        self._base += f"/{session['sessionId']}"

    def __call__(self, name, parameters):
        return self._send(_PATHS[name].format(id=parameters.get("id")), parameters)

    def _send(self, path, body, method="POST"):
        request = urllib.request.Request(self._base + path, json.dumps(body).encode(), method=method)
        try:
            with urllib.request.urlopen(request, timeout=2 * PATIENCE) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise WebDriverError(json.load(error)["value"].get("message")) from None

    def close(self):
        """End the session, and with it the browser."""
        with contextlib.suppress(OSError, WebDriverError):
            self._send("", None, "DELETE")
