"""OSCQuery over real connections: the attributes of an address, and subscriptions."""

import contextlib
import json
import sys
import urllib.error
import urllib.request

import pytest
import websockets.sync.client
from pythonosc.osc_message_builder import build_msg
from pythonosc.osc_packet import OscPacket
from waiting import PATIENCE, QUIET, until
from zeroconf import ServiceBrowser, Zeroconf

from bridge.osc.server import OscServer
from bridge.oscquery.server import OscQueryServer
from stream_sep.control.parameters import UNLIMITED, Parameter
from stream_sep.errors import BridgeError
from stream_sep.protocols import STEMS

OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@pytest.fixture
def serve(mixer):
    """Starts a server with settings of the test's."""
    running = []

    def started(**settings):
        running.append(OscQueryServer(mixer, port=0, **{"announce": False, **settings}))
        running[-1].start()
        return running[-1]

    yield started
    for server in running:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


def get(server, path):
    """Return the status and the body of the response."""
    try:
        with OPEN(f"http://127.0.0.1:{server.port}{path}", timeout=PATIENCE) as response:
            assert response.headers["Content-Type"] == "application/json"
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None


def leaves(node):
    return (
        [node] if "CONTENTS" not in node else [leaf for child in node["CONTENTS"].values() for leaf in leaves(child)]
    )


class Listener:
    def __init__(self, server, stack):
        url = f"ws://127.0.0.1:{server.port}"
        self.socket = stack.enter_context(websockets.sync.client.connect(url, proxy=None, close_timeout=1))

    def command(self, command, path):
        self.socket.send(json.dumps({"COMMAND": command, "DATA": path}))

    def send(self, address, *values):
        self.socket.send(build_msg(address, values).dgram)

    def receive(self, timeout=PATIENCE):
        packet = self.socket.recv(timeout=timeout)
        return [(timed.message.address, *timed.message.params) for timed in OscPacket(packet).messages]

    def sync(self):
        """Wait until all sent messages are handled; return the messages received before that."""
        self.send("/ping")
        received = []
        while ("/pong",) not in received:
            received += self.receive()
        return received[:-1]

    def gather(self, count):
        """Return ``count`` messages, which may arrive in one packet or in several."""
        received = []
        while len(received) < count:
            received += self.receive()
        return sorted(received)

    def quiet(self):
        with contextlib.suppress(TimeoutError):
            return self.receive(QUIET)
        return []


@pytest.fixture
def join():
    with contextlib.ExitStack() as stack:
        yield lambda server: Listener(server, stack)


def test_the_whole_tree_is_what_osc_has(server):
    status, tree = get(server, "/")
    assert status == 200
    assert tree["FULL_PATH"] == "/"
    assert set(tree["CONTENTS"]) >= {"stem", "master", "engine", "preset", "bypass", "karaoke"}
    assert set(tree["CONTENTS"]["stem"]["CONTENTS"]) == set(STEMS)
    described = {leaf["FULL_PATH"]: leaf for leaf in leaves(tree)}
    osc = {node.address for node in server._session.nodes}
    assert osc == described.keys() - {"/preset/recall", "/preset/save", "/preset/store"}
    assert all(len(leaf["TYPE"]) == len(leaf["VALUE"]) for path, leaf in described.items() if path in osc)


def test_address_returns_all_its_attributes(mixer, server):
    mixer.apply({"stem/vocals/gain_db": -10.0})
    assert get(server, "/stem/vocals/fader") == (
        200,
        {
            "FULL_PATH": "/stem/vocals/fader",
            "TYPE": "f",
            "ACCESS": 3,
            "VALUE": [0.5],
            "RANGE": [{"MIN": 0.0, "MAX": 1.0}],
            "DESCRIPTION": "fader travel, 0.75 is 0 dB",
        },
    )
    gain = get(server, "/stem/vocals/gain/")[1]
    assert (gain["VALUE"], gain["UNIT"], gain["RANGE"]) == ([-10.0], ["dB"], [{"MIN": -90.0, "MAX": 10.0}])
    mute = get(server, "/stem/vocals/mute")[1]
    assert (mute["TYPE"], mute["VALUE"], mute["RANGE"]) == ("i", [0], [{"VALS": [0, 1]}])
    latency = get(server, "/engine/latency")[1]
    assert (latency["TYPE"], latency["ACCESS"], latency["VALUE"]) == ("fi", 1, [0.0, 0])
    assert get(server, "/preset/recall")[1]["ACCESS"] == 2


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/stem/vocals/pan?VALUE", 200, {"VALUE": [0.0]}),
        ("/stem/vocals/pan?TYPE", 200, {"TYPE": "f"}),
        ("/stem/vocals/pan?ACCESS", 200, {"ACCESS": 3}),
        ("/stem/vocals/pan?FULL_PATH", 200, {"FULL_PATH": "/stem/vocals/pan"}),
        ("/stem/vocals/gain?UNIT", 200, {"UNIT": ["dB"]}),
        ("/preset/list?VALUE", 200, {"VALUE": ["acapella", "karaoke"]}),
        ("/preset/list?TYPE", 200, {"TYPE": "ss"}),
        ("/%73tem/vocals/mute?VALUE", 200, {"VALUE": [0]}),
        ("/stem/vocals/pan?UNIT", 204, None),
        ("/stem?VALUE", 204, None),
        ("/stem/vocals/pan?TAGS", 204, None),
        ("/stem/vocals/pan?COLOUR", 400, None),
        ("/stem/vocals/pan?value", 400, None),
        ("/stem/nobody", 404, None),
        ("/stem/nobody?VALUE", 404, None),
    ],
)
def test_a_query_selects_one_attribute(server, path, status, body):
    assert get(server, path) == (status, body)


def test_host_prints_its_address(serve):
    server = serve(osc_port=9137, name="stage left")
    status, info = get(server, "/?HOST_INFO")
    assert status == 200
    assert (info["NAME"], info["OSC_PORT"], info["OSC_TRANSPORT"]) == ("stage left", 9137, "UDP")
    assert info["WS_PORT"] == server.port
    assert {"ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "LISTEN"} <= info["EXTENSIONS"].keys()
    assert get(server, "/stem?HOST_INFO")[1] == info


def test_a_host_on_every_address_leaves_the_one_in_use_to_the_client(serve):
    info = get(serve(host="0.0.0.0", osc_port=9137), "/?HOST_INFO")[1]
    assert not {"OSC_IP", "WS_IP"} & info.keys()


def test_without_osc_over_udp_none_is_promised(server):
    assert "OSC_PORT" not in get(server, "/?HOST_INFO")[1]


def test_listener_receives_only_what_it_subscribed_to(mixer, server, join):
    client = join(server)
    client.command("LISTEN", "/stem/vocals/pan")
    assert client.receive() == [("/stem/vocals/pan", 0.0)]
    mixer.apply({"stem/drums/pan": 1.0, "stem/vocals/mute": True})
    assert client.quiet() == []
    mixer.apply({"stem/vocals/pan": 0.5})
    assert client.receive() == [("/stem/vocals/pan", 0.5)]
    client.command("IGNORE", "/stem/vocals/pan")
    client.sync()
    mixer.apply({"stem/vocals/pan": 1.0})
    assert client.quiet() == []


def test_all_below_an_address_can_be_listened_to(mixer, server, join):
    client = join(server)
    client.command("LISTEN", "/stem/vocals")
    client.command("IGNORE", "/stem/vocals/meter")
    client.sync()
    client.quiet()
    mixer.apply({"stem/vocals/pan": 0.5, "stem/vocals/mute": True, "stem/drums/pan": 0.5})
    assert client.gather(2) == [("/stem/vocals/mute", 1), ("/stem/vocals/pan", 0.5)]
    assert client.quiet() == []


def test_what_is_written_over_a_socket_moves_the_desk(mixer, server, join):
    client = join(server)
    client.send("/stem/*/pan", 0.25)
    client.send("/preset/recall", "karaoke")
    assert client.sync() == []
    assert [mixer.controls[f"stem/{stem}/pan"] for stem in STEMS] == [0.25] * 4
    assert mixer.recalled == [("karaoke", None)]


def test_meters_are_sent_to_their_subscribers(mixer, server, join):
    client = join(server)
    client.command("LISTEN", "/master/meter")
    client.receive()
    mixer.metered = {**mixer.metered, "mix": (1.0, 0.1)}
    assert client.receive() == [("/master/meter", 0.0, -20.0)]


def test_a_socket_may_subscribe_by_groups_as_osc_does(server, join):
    client = join(server)
    client.send("/subscribe", 0, 32)
    assert client.gather(2) == [("/preset/current", ""), ("/preset/list", "acapella", "karaoke")]


def test_nonsense_gets_an_error_and_is_counted(server, join):
    client = join(server)
    client.command("DANCE", "/stem")
    assert client.receive()[0][0] == "/error"
    client.send("/stem/nobody/pan", 1.0)
    assert client.receive()[0][0] == "/error"
    assert server.errors == 2


def test_client_that_goes_is_dropped(server):
    with contextlib.ExitStack() as stack:
        Listener(server, stack).sync()
        assert len(list(server._session.clients)) == 1
    until(lambda: not list(server._session.clients))


def test_all_addresses_have_the_prefix(serve, join):
    server = serve(prefix="/stem_sep")
    assert get(server, "/stem_sep/stem/vocals/pan?VALUE") == (200, {"VALUE": [0.0]})
    assert get(server, "/stem/vocals/pan")[0] == 404
    assert set(get(server, "/")[1]["CONTENTS"]) == {"stem_sep"}
    client = join(server)
    client.command("LISTEN", "/stem_sep/stem/vocals/pan")
    assert client.receive() == [("/stem_sep/stem/vocals/pan", 0.0)]


def test_infinite_value_is_sent_as_a_number_of_json(mixer, server):
    mixer.controls.publish({"engine/load": float("inf")})
    assert get(server, "/engine/load?VALUE") == (200, {"VALUE": [UNLIMITED]})


def test_it_goes_on_after_an_error_of_its_own(mixer, server, join, caplog):
    client = join(server)
    working, mixer.peaks = mixer.peaks, dict
    client.command("LISTEN", "/master/meter")
    until(lambda: "goes on" in caplog.text)
    assert server.errors > 0
    mixer.peaks = working
    assert client.sync() is not None


def test_move_by_one_surface_is_sent_to_the_other(mixer, server, join):
    osc = OscServer(mixer, port=0)
    osc.start()
    try:
        client = join(server)
        client.command("LISTEN", "/stem/vocals/pan")
        client.receive()
        osc._loop._socket.sendto(build_msg("/stem/vocals/pan", -1.0).dgram, ("127.0.0.1", osc.port))
        assert client.receive() == [("/stem/vocals/pan", -1.0)]
    finally:
        osc.stop()


@pytest.mark.slow
def test_its_name_is_announced(serve):
    server = serve(announce=True, osc_port=9137, name="stem_sep under test")
    found = {}

    def notice(zeroconf, service_type, name, state_change):  # noqa: ARG001 - zeroconf names them
        found[service_type] = name

    with Zeroconf(interfaces=["127.0.0.1"]) as zeroconf:
        kinds = ["_oscjson._tcp.local.", "_osc._udp.local."]
        browser = ServiceBrowser(zeroconf, kinds, handlers=[notice])
        until(lambda: len(found) == 2, 15)
        info = zeroconf.get_service_info(kinds[0], found[kinds[0]])
        browser.cancel()
    assert found[kinds[0]].startswith("stem_sep under test")
    assert info.port == server.port
    assert info.parsed_addresses() == ["127.0.0.1"]


@pytest.mark.parametrize("module", ["websockets.asyncio.server", "zeroconf"])
def test_a_missing_package_is_named_with_what_installs_it(mixer, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(BridgeError, match=rf"{package}; run: .* -m pip install .*\[oscquery\]"):
        OscQueryServer(mixer)


def test_added_and_removed_paths_are_sent_to_every_socket(mixer, server, join):
    room = Parameter("stem/vocals/chain/1/room_size", 0.5, 0.0, 1.0)
    first, second = join(server), join(server)
    for listener in (first, second):
        listener.sync()
    mixer.controls.replace_parameters((), (room,))
    for listener in (first, second):
        received = json.loads(listener.socket.recv(timeout=PATIENCE))
        assert received == {"COMMAND": "PATH_ADDED", "DATA": f"/{room.path}"}
    status, node = get(server, f"/{room.path}")
    assert (status, node["VALUE"], node["RANGE"]) == (200, [0.5], [{"MIN": 0.0, "MAX": 1.0}])
    first.command("LISTEN", f"/{room.path}")
    assert first.receive() == [(f"/{room.path}", 0.5)]
    mixer.controls.replace_parameters((room.path,), ())
    received = json.loads(first.socket.recv(timeout=PATIENCE))
    assert received == {"COMMAND": "PATH_REMOVED", "DATA": f"/{room.path}"}
    assert get(server, f"/{room.path}")[0] == 404
    assert get(server, "/?HOST_INFO")[1]["EXTENSIONS"]["PATH_ADDED"]
