"""Which client receives what: subscriptions, targets, and touched faders."""

import pytest
from osc_peer import FADER, GAIN_DB, listing
from waiting import until

from bridge.osc.clients import MAX_CLIENTS, Clients
from stream_sep.errors import BridgeError
from stream_sep.protocols import STEMS


def test_subscriber_receives_everything_then_changes(mixer, server, join):
    peer = join(server)
    peer.send("/subscribe")
    everything = {message[0] for message in peer.receive(56)}
    listed = {message[1] for message in listing(peer)}
    assert everything == listed
    mixer.apply({GAIN_DB: -10.0})
    assert sorted(peer.receive(2)) == [(FADER, 0.5), ("/stem/vocals/gain", -10.0)]


@pytest.mark.parametrize(
    ("mask", "addresses"),
    [
        (1, {FADER, "/stem/vocals/gain", "/karaoke"}),
        (2, {"/stem/vocals/mute", "/karaoke", "/bypass"}),
        (4, {"/stem/vocals/meter"}),
        (8, {"/engine/load"}),
        (16, {"/stem/vocals/name", "/stem/vocals/color"}),
        (32, {"/preset/current", "/preset/list"}),
        (64 + 1, {"/stem/1/fader", "/karaoke"}),
        (0, set()),
    ],
)
def test_mask_selects_what_is_sent(server, join, mask, addresses):
    watched = {FADER, "/stem/vocals/gain", "/karaoke", "/stem/vocals/mute", "/bypass", "/stem/vocals/meter"}
    watched |= {"/engine/load", "/stem/vocals/name", "/stem/vocals/color", "/preset/current", "/preset/list"}
    if mask & 64:
        watched = {FADER, "/stem/1/fader", "/karaoke", "/bypass"}
    peer = join(server)
    peer.send("/subscribe", 0, mask)
    assert {message[0] for message in peer.quiet()} & watched == addresses


def test_client_with_another_reply_port_receives_everything_there(mixer, server, join):
    sender, listener = join(server), join(server)
    sender.send("/subscribe", listener.own_port, 1)
    listener.receive()
    listener.quiet()
    mixer.apply({"stem/vocals/pan": 0.5})
    assert listener.receive() == [("/stem/vocals/pan", 0.5)]
    sender.send("/stem/vocals/pan")
    assert listener.receive() == [("/stem/vocals/pan", 0.5)]
    sender.send("/stem/vocals/pan", -0.5)
    assert (listener.quiet(), sender.listen()) == ([], [])
    assert mixer.controls["stem/vocals/pan"] == -0.5


def test_target_receives_everything_without_a_request(mixer, serve, join):
    class Nowhere:
        port = 9

    target = join(Nowhere())
    serve(targets=[f"127.0.0.1:{target.own_port}"], clock=lambda: 0.0)
    assert {FADER, "/stem/vocals/meter", "/engine/latency"} <= {message[0] for message in target.receive(56)}
    mixer.apply({"stem/vocals/pan": 0.5})
    assert target.receive() == [("/stem/vocals/pan", 0.5)]


def test_a_subscription_ends_unless_it_is_renewed(mixer, serve, join):
    now = [0.0]
    server = serve(clock=lambda: now[0])
    renewing, forgetting = join(server, 0, 1), join(server, 0, 1)
    now[0] = 9.0
    renewing.send("/subscribe", 0, 1)
    renewing.sync()
    now[0] = 11.0
    mixer.apply({"stem/vocals/pan": 0.5})
    assert renewing.receive() == [("/stem/vocals/pan", 0.5)]  # and no second full dump
    assert forgetting.quiet() == []
    forgetting.send("/subscribe", 0, 1)
    assert ("/stem/vocals/pan", 0.5) in forgetting.receive(5)


def test_unsubscribing_ends_it_at_once(mixer, server, join):
    peer = join(server, 0, 1)
    peer.send("/unsubscribe")
    peer.sync()
    mixer.apply({"stem/vocals/pan": 0.5})
    assert peer.quiet() == []


def test_refresh_sends_all_again_to_clients_and_once_to_others(server, join):
    client, stranger = join(server, 0, 16), join(server)
    client.send("/refresh")
    assert {message[0] for message in client.receive(8)} == {
        f"/stem/{stem}/{what}" for stem in STEMS for what in ("name", "color")
    }
    stranger.send("/refresh")
    assert len(stranger.receive(56)) == 56
    assert stranger.quiet() == []


def test_touched_fader_receives_nothing_until_release(mixer, server, join):
    holding, watching = join(server, 0, 1), join(server, 0, 1)
    holding.send("/stem/1/touch", 1)
    holding.sync()
    mixer.apply({GAIN_DB: -10.0, "stem/vocals/pan": 0.5})
    assert holding.receive() == [("/stem/vocals/pan", 0.5)]
    assert len(watching.receive(3)) == 3
    assert holding.quiet() == []
    holding.send("/stem/vocals/touch", 0)
    assert sorted(holding.receive(2)) == [(FADER, 0.5), ("/stem/vocals/gain", -10.0)]


def test_touch_without_release_expires(mixer, serve, join):
    now = [0.0]
    server = serve(clock=lambda: now[0])
    peer = join(server, 0, 1)
    peer.send("/master/touch", 1)
    peer.sync()
    now[0] = 5.0
    peer.send("/subscribe", 0, 1)
    peer.sync()
    mixer.apply({"master/gain_db": -10.0})
    assert peer.quiet() == []
    now[0] = 10.5
    received = peer.sync()
    until(lambda: received.extend(peer.listen()) or len(received) == 2)


def test_hosts_together_have_no_more_places_than_there_are():
    clients = Clients(())
    hosts = [(f"10.0.0.{number}", 9000) for number in range(MAX_CLIENTS + 1)]
    for host in hosts[:-1]:
        clients.subscribe(host, host)
    with pytest.raises(BridgeError, match="64 clients are subscribed already"):
        clients.subscribe(hosts[-1], hosts[-1])
    clients.drop(clients.of(hosts[0]))
    clients.subscribe(hosts[-1], hosts[-1])
