"""OSC with the programs that people use: liblo's tools, python-osc, Pure Data, SuperCollider."""

import os
import shutil
import socket
import subprocess
import time

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import build_msg
from pythonosc.udp_client import SimpleUDPClient
from requirements import require
from waiting import PATIENCE, until

from bridge.osc.server import OscServer

PATCH = r"""#N canvas 0 0 450 300 10;
#X obj 10 10 r port;
#X msg 10 40 connect 127.0.0.1 \$1;
#X obj 10 100 netsend -u -b;
#X obj 200 10 r fader;
#X obj 200 40 oscformat /stem/vocals/fader;
#X obj 200 70 list prepend send;
#X obj 200 90 list trim;
#X obj 10 130 oscparse;
#X obj 10 160 print output;
#X obj 300 10 r query;
#X obj 300 40 oscformat /stem/vocals/gain;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 1 7 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 5 0 6 0;
#X connect 6 0 2 0;
#X connect 7 0 8 0;
#X connect 9 0 10 0;
#X connect 10 0 5 0;
"""
SCRIPT = """
OSCdef(\\received, {{ |message| message.postln }}, '/stem/drums/mute');
n = NetAddr("127.0.0.1", {port});
n.sendMsg('/subscribe', 0, 2);
n.sendBundle(0.5, ['/stem/vocals/gain', -6.0], ['/stem/bass/mute', 1]);
n.sendMsg('/stem/{{drums,other}}/mute', 1);
n.sendMsg('/stem/drums/mute/toggle');
{{ 3.wait; 0.exit }}.fork;
"""


def need(program, package):
    require(shutil.which(program), f"needs {program}: apt install {package}")


@pytest.fixture
def server(mixer):
    made = OscServer(mixer, port=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def run(tmp_path):
    """Runs a program; returns its output so far."""
    printed, running = tmp_path / "printed", []

    def started(*command, **environment):
        with printed.open("w") as out:
            running.append(
                subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment}, cwd=tmp_path)
            )
        return printed.read_text

    yield started
    for program in running:
        program.kill()
        program.wait()


def test_liblo_moves_faders_and_prints_what_it_receives(mixer, server, run):
    need("oscsend", "liblo-tools")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    printed = run("oscdump", "-L", str(port))

    def send(*arguments):
        subprocess.run(["oscsend", "127.0.0.1", str(server.port), *arguments], check=True, timeout=PATIENCE)

    def subscribed():
        send("/subscribe", "ii", str(port), "3")
        send("/refresh")  # the first may have come before oscdump listened
        return "/stem/other/mute i 0" in printed()

    until(subscribed)
    send("/stem/vocals/fader", "f", "0.5")
    send("/stem/*/mute", "T")
    until(lambda: mixer.controls["stem/other/mute"] is True)
    assert mixer.controls["stem/vocals/gain_db"] == -10.0
    until(lambda: "/stem/other/mute i 1" in printed())
    assert "/stem/vocals/fader f 0.500000" in printed()


def test_pure_data_moves_a_fader_and_gets_a_reply(mixer, server, run, tmp_path):
    need("pd", "puredata-core")
    patch = tmp_path / "controller.pd"
    patch.write_text(PATCH)
    sends = ("-send", f"port {server.port}", "-send", "fader 0.5", "-send", "query bang")
    printed = run("pd", "-nogui", "-noaudio", "-nomidi", "-stderr", *sends, str(patch))
    until(lambda: mixer.controls["stem/vocals/gain_db"] == -10.0)
    until(lambda: "stem vocals gain -10" in printed())
    assert server.errors == 0


def test_supercollider_sends_a_bundle_for_later_and_receives_the_change(mixer, server, run, tmp_path):
    need("sclang", "supercollider-language")
    script = tmp_path / "controller.scd"
    script.write_text(SCRIPT.format(port=server.port))
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    printed = run(
        "sclang",
        str(script),
        QT_QPA_PLATFORM="offscreen",
        QTWEBENGINE_DISABLE_SANDBOX="1",
        XDG_RUNTIME_DIR=str(runtime),
        HOME=str(tmp_path),
    )
    until(lambda: mixer.controls["stem/other/mute"] and not mixer.controls["stem/drums/mute"])
    until(lambda: "[ /stem/drums/mute, 0 ]" in printed())
    values = {path: at for applied, _, at in mixer.applied for path in applied}
    assert values["stem/vocals/gain_db"] == values["stem/bass/mute"] is not None
    assert values["stem/other/mute"] is None
    assert (mixer.controls["stem/drums/mute"], mixer.controls["stem/other/mute"]) == (False, True)
    assert server.errors == 0


def test_python_osc_sends_a_bundle(mixer, server):
    client = SimpleUDPClient("127.0.0.1", server.port)
    try:
        builder = OscBundleBuilder(time.time() + 1)
        builder.add_content(build_msg("/stem/bass/gain", -6.0))
        client.send(builder.build())
        client.send_message("/stem/drums/solo", 1)
        until(lambda: len(mixer.applied) == 2)
    finally:
        client._sock.close()
    assert mixer.applied[0][0] == {"stem/bass/gain_db": -6.0}
    assert mixer.controls["stem/drums/solo"] is True


def test_oscdump_prints_the_reply_to_a_query_of_oscsend(server, mixer, run):
    need("oscsend", "liblo-tools")
    need("oscdump", "liblo-tools")
    mixer.apply({"stem/vocals/gain_db": -10.0})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    printed = run("oscdump", "-L", str(port))

    def replied():
        for address in ("/stem/vocals/gain", "/nothing"):
            query = ["oscsend", "localhost", str(server.port), "/query", "si", address, str(port)]
            subprocess.run(query, check=True, timeout=PATIENCE)
        return "/stem/vocals/gain f -10" in printed() and "/error s" in printed()

    until(replied)
