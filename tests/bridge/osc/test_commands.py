"""Addresses that do something: presets and lists."""

import pytest
from osc_peer import FADER, bundle, listing
from pythonosc.osc_bundle_builder import IMMEDIATELY

from bridge.osc.commands import COMMANDS


@pytest.mark.parametrize(
    ("arguments", "recalled"),
    [
        (["karaoke"], ("karaoke", None)),
        ([2], ("karaoke", None)),
        ([1.0, 500], ("acapella", 500.0)),
        (["2", 0.5], ("karaoke", 0.5)),
    ],
)
def test_a_preset_is_recalled_by_name_or_number(mixer, peer, arguments, recalled):
    peer.send("/preset/recall", *arguments)
    peer.sync()
    assert mixer.recalled == [recalled]
    assert peer.request("/preset/current")[1] == recalled[0]


@pytest.mark.parametrize("arguments", [[], ["nobody"], [0], [3], [1.5], [-1], ["karaoke", "soon"], ["karaoke", 1, 2]])
def test_a_preset_that_is_not_there_is_an_error(mixer, server, peer, arguments):
    assert peer.request("/preset/recall", *arguments)[0] == "/error"
    assert (mixer.recalled, server.errors) == ([], 1)


def test_stored_preset_is_sent_in_the_list(mixer, server, join):
    peer = join(server, 0, 32)
    mixer.presets = lambda: ("acapella", "karaoke", *mixer.stored)
    peer.send("/preset/store", "mine")
    assert peer.receive() == [("/preset/list", "acapella", "karaoke", "mine")]
    assert mixer.stored == ["mine"]


def test_saving_replaces_a_preset_only_on_request(mixer, server, peer):
    assert "'karaoke' exists" in peer.request("/preset/save", "karaoke")[1]
    assert mixer.stored == []
    peer.send("/preset/save", "mine")
    peer.send("/preset/save", "karaoke", 1)
    peer.sync()
    assert mixer.stored == ["mine", "karaoke"]
    assert peer.request("/preset/save", 3)[0] == "/error"
    assert server.errors == 2


def test_a_recall_comes_after_what_was_sent_before_it(mixer, peer):
    order = []
    mixer.apply = lambda values, **_: order.append(dict(values))
    mixer.recall = lambda name, **_: order.append(name)
    peer.send_raw(bundle(IMMEDIATELY, ("/karaoke", 1), ("/preset/recall", "acapella"), ("/karaoke", 0)))
    peer.sync()
    assert order == [{"karaoke": 1.0}, "acapella", {"karaoke": 0.0}]


def test_the_list_names_types_and_what_can_be_set(peer):
    entries = {address: rest for _, address, *rest in listing(peer)}
    assert entries[FADER] == ["f", "rw"]
    assert entries["/engine/latency"] == ["fi", "r"]
    assert entries["/stem/vocals/mute"] == ["i", "rw"]


@pytest.mark.parametrize(
    "address", ["/stem/vocals/pan", "/stem/1/pan", "/engine/state", "/ping", "/list", "/preset/list"]
)
def test_a_query_may_name_the_port_of_its_reply(server, join, address):
    querying, listening = join(server), join(server)
    querying.send("/query", address, listening.own_port)
    replies = listening.receive()
    assert {message[0] for message in replies} <= {address, "/pong", "/list", "/list/end"}
    assert querying.quiet() == []


@pytest.mark.parametrize("arguments", [[], [1], ["/ping", "here"], ["/ping", 70000], ["/ping", 0, 9], ["/nothing"]])
def test_a_question_that_makes_no_sense_is_an_error(server, peer, arguments):
    assert peer.request("/query", *arguments)[0] == "/error"
    assert server.errors == 1


def test_an_error_goes_to_the_port_of_the_reply(server, join):
    querying, listening = join(server), join(server)
    querying.send("/query", "/stem/vocal/pan", listening.own_port)
    ((address, message),) = listening.receive()
    assert (address, "did you mean '/stem/vocals/pan'" in message) == ("/error", True)


def test_every_command_is_described(server):
    commands = server._session._commands
    assert set(COMMANDS) == {*commands._replying, *commands._actions}


def test_repeated_refresh_is_rate_limited(server, join):
    client = join(server, 0, 16)
    for _ in range(100):
        client.send("/refresh")
    received = client.sync() + client.quiet()
    assert any("at most once a second" in message[1] for message in received if message[0] == "/error")
    assert server.errors == 96
    assert sum(client.sizes) < 20_000


class CountedNumber(float):
    """A number that counts its comparisons."""

    comparisons = 0

    def __eq__(self, other):
        CountedNumber.comparisons += 1
        return float(self) == other

    __hash__ = float.__hash__


def test_the_highest_port_is_compared_as_seldom_as_the_lowest(server, peer, monkeypatch):
    monkeypatch.setattr("bridge.osc.commands.number", lambda _, argument: CountedNumber(argument))
    monkeypatch.setattr(CountedNumber, "comparisons", 0)
    peer.send("/subscribe", peer.own_port)
    peer.send("/subscribe", 65534.5)
    peer.sync()
    assert 0 < CountedNumber.comparisons < 20
    assert server.errors == 1
