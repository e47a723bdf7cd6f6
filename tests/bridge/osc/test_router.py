"""Addresses by name, by number and by pattern."""

import pytest

from stream_sep.protocols import STEMS


def test_a_toggle_turns_over_when_pressed_and_not_when_let_go(mixer, peer):
    peer.send("/stem/vocals/mute/toggle")
    peer.send("/stem/drums/mute/toggle", 1)
    peer.send("/stem/drums/mute/toggle", 0)
    peer.send("/karaoke/toggle")
    peer.sync()
    values = mixer.controls.snapshot()
    assert (values["stem/vocals/mute"], values["stem/drums/mute"], values["karaoke"]) == (True, True, 1.0)
    peer.send("/stem/vocals/mute/toggle")
    peer.send("/stem/vocals/mute/toggle")
    peer.send("/stem/drums/mute/toggle")
    peer.sync()
    assert (mixer.controls["stem/vocals/mute"], mixer.controls["stem/drums/mute"]) == (True, False)


def test_toggle_replies_with_the_result(server, join):
    peer = join(server, 0, 2)
    peer.send("/stem/vocals/mute/toggle")
    assert peer.receive() == [("/stem/vocals/mute", 1)]


@pytest.mark.parametrize(
    ("pattern", "stems"),
    [
        ("/stem/*/mute", STEMS),
        ("/stem/{vocals,drums}/mute", ("vocals", "drums")),
        ("/stem/[!v]*/mute", tuple(stem for stem in STEMS if stem != "vocals")),
        ("/stem/?????/mute", tuple(stem for stem in STEMS if len(stem) == 5)),
        ("/stem/?/mute", STEMS),
        ("/stem/[1-2]/mute", STEMS[:2]),
        ("/stem/[12]/m?te", STEMS[:2]),
        ("/s*/vocals/mu*", ("vocals",)),
    ],
)
def test_a_pattern_moves_all_it_fits(mixer, server, peer, pattern, stems):
    peer.send(pattern, 1)
    peer.sync()
    assert {stem for stem in STEMS if mixer.controls[f"stem/{stem}/mute"]} == set(stems)
    assert not mixer.controls["master/mute"]
    assert server.errors == 0


@pytest.mark.parametrize("pattern", ["/stem/*", "/*/mute/x", "/stem*mute", "//mute", "/stem/[!v/mute", "/stem/{a"])
def test_a_pattern_that_fits_nothing_is_an_error(mixer, server, peer, pattern):
    before = mixer.controls.snapshot()
    assert peer.request(pattern, 1)[0] == "/error"
    assert server.errors == 1
    assert mixer.controls.snapshot() == before


def test_a_query_by_pattern_gets_replies_by_name(peer):
    peer.send("/stem/*/pan")
    assert sorted(peer.receive(4)) == sorted((f"/stem/{stem}/pan", 0.0) for stem in STEMS)


def test_a_query_by_number_gets_a_reply_by_number(peer):
    assert peer.request("/stem/2/pan") == ("/stem/2/pan", 0.0)
