"""Firefox and WebKitGTK as processes, with a new profile, and no real display or sound card."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import processes
import waiting
from webdriver import PATIENCE, Marionette, Page, WebDriver

MINIBROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"

_PREFERENCES = {
    "marionette.port": 0,
    "browser.download.folderList": 2,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
}
_SIZE = """const {style} = document.defaultView.gBrowser.selectedBrowser;
style.flex = "none";
for (const [side, pixels] of [["width", arguments[0]], ["height", arguments[1]]]) {
  for (const limit of ["", "min-", "max-"]) style.setProperty(limit + side, `${pixels}px`);
}"""
_PROBLEMS = """return Services.console.getMessageArray()
  .filter((one) => one instanceof Ci.nsIScriptError && one.logLevel === Ci.nsIConsoleMessage.error)
  .filter((one) => one.sourceName.startsWith("http://127.0.0.1") || /Content-Security-Policy/.test(one.errorMessage))
  .map((one) => one.errorMessage);"""


@contextlib.contextmanager
def firefox(program, width=1280, height=800):
    """Run a headless Firefox with a new profile and no real sound card."""
    with _folder() as folder, _null_sound(folder) as sound:
        preferences = {**_PREFERENCES, "browser.download.dir": str(folder)}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        (folder / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--marionette", "--remote-allow-system-access", "--profile", str(folder)]
        size = {"MOZ_HEADLESS_WIDTH": "1400", "MOZ_HEADLESS_HEIGHT": "1100"}
        with _running(command, folder, {**sound, **size}) as process:
            port = folder / "MarionetteActivePort"
            waiting.until(lambda: _alive(process) and port.exists() and port.read_text().strip(), PATIENCE, 0.1)
            with contextlib.closing(Marionette(int(port.read_text()))) as marionette:
                marionette.in_chrome(_SIZE, width, height)
                yield Page(marionette, lambda: marionette.in_chrome(_PROBLEMS), folder)


@contextlib.contextmanager
def webkit(program, width=1280, height=800):
    """Run WebKitGTK's MiniBrowser on a display of its own; it is 447 pixels wide at least."""
    with _folder() as folder, _display() as display:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        log = folder / "log"
        options = {
            "binary": MINIBROWSER,
            "args": ["--automation", "--enable-write-console-messages-to-stdout=true"],
        }
        with _running([program, f"--port={port}"], folder, {"DISPLAY": display, "GDK_BACKEND": "x11"}) as process:
            waiting.until(lambda: _alive(process) and _listens(port), PATIENCE, 0.1)
            with contextlib.closing(WebDriver(port, options)) as driver:
                page = Page(
                    driver,
                    lambda: [
                        line for line in log.read_text().splitlines() if "CONSOLE" in line and " ERROR " in line
                    ],
                    folder,
                )
                _resize(page, width, height)
                yield page


def _errors(log):
    return [line for line in log.read_text().splitlines() if "CONSOLE" in line and " ERROR " in line]


def _resize(page, width, height):
    page.command("WebDriver:SetWindowRect", {"width": width, "height": height})
    inner = page.evaluate("[innerWidth, innerHeight]")  # without the bars around the page
    page.command("WebDriver:SetWindowRect", {"width": 2 * width - inner[0], "height": 2 * height - inner[1]})


@contextlib.contextmanager
def _folder():
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # a process of the browser may still write


@contextlib.contextmanager
def _running(command, folder, environment):
    environment = {**os.environ, "HOME": str(folder), **environment}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield process
        finally:
            processes.end(process)


def _alive(process):
    assert process.poll() is None, f"{process.args[0]} has ended"
    return True


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def _null_sound(folder):
    """A sound server without a sound card: without one, Firefox starts no AudioContext."""
    place = folder / "sound"
    load = f"module-native-protocol-unix socket={place} auth-anonymous=1"
    command = [
        "pulseaudio",
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--use-pid-file=no",
        "-L",
        load,
        "-L",
        "module-null-sink",
    ]
    runtime = {"XDG_RUNTIME_DIR": str(folder), "PULSE_STATE_PATH": str(folder)}
    with _running(command, folder, runtime) as process:
        waiting.until(lambda: _alive(process) and place.exists(), PATIENCE, 0.1)
        yield {"PULSE_SERVER": f"unix:{place}"}


@contextlib.contextmanager
def _display():
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x1100x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as process:
        os.close(write)
        try:
            with os.fdopen(read) as lines:
                yield f":{lines.readline().strip()}"
        finally:
            process.terminate()
