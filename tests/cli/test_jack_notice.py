"""The notice that nothing is connected to JACK's ports: once, and only where it is true."""

from types import SimpleNamespace

import pytest
from waiting import QUIET, until

from stream_sep.cli.jack_notice import report_if_unconnected, unconnected_notice


def ports(*connected):
    return SimpleNamespace(client_name="stream_sep", connected_ports=frozenset(connected))


@pytest.mark.parametrize(
    ("connected", "received"),
    [
        ((), ("stream_sep:in_L", "stream_sep:mix_L", "--auto-connect")),
        (("mix_L",), ("no player is connected to stream_sep:in_L",)),
        (("in_L", "in_R"), ("stream_sep:mix_L and stream_sep:mix_R are connected to nothing",)),
    ],
)
def test_ports_that_are_not_connected_are_named_with_what_to_do(connected, received):
    notice = unconnected_notice(ports(*connected))
    assert all(part in notice for part in received)


@pytest.mark.parametrize("connected", [("in_L", "mix_L"), ("in_R", "vocals_L")])
def test_a_player_and_an_output_are_enough(connected):
    assert unconnected_notice(ports(*connected)) == ""


def test_connection_after_the_notice_is_reported_so_that_the_notice_is_not_left_standing():
    received, client = [], ports()
    report_if_unconnected(client, received.append, 0.01, 0.01)
    until(lambda: received)
    client.connected_ports = frozenset({"in_L", "mix_L"})
    until(lambda: len(received) == 2)
    assert received[1] == "the input and the output of stream_sep are connected now"
    until(lambda: len(received) == 2, QUIET)


def test_it_is_reported_once_and_not_if_it_is_over_before():
    received = []
    report_if_unconnected(ports(), received.append, 0.01)
    until(lambda: received)
    report_if_unconnected(ports(), received.append, 60.0)()
    until(lambda: len(received) == 1, QUIET)
