"""The listener for Windows' pipes, over the sockets that other systems have in their place."""

import threading
from multiprocessing import connection

import pytest
import waiting

from bridge.plugin import host
from bridge.plugin.listener import PipeListener
from stream_sep.errors import BridgeError

FAMILY = "AF_UNIX"


@pytest.fixture
def address(tmp_path):
    return str(tmp_path / "s")


@pytest.fixture
def listener(address):
    made = PipeListener(address, FAMILY)
    yield made
    made.close()


def connect(listener, address):
    client, accepted = connection.Client(address, FAMILY), []
    waiting.until(lambda: accepted.append(listener.accept()) or accepted[-1])
    return client, accepted[-1]


def test_listener_returns_nothing_without_a_client(listener):
    assert listener.accept() is None


def test_lines_go_both_ways_until_the_instance_ends(listener, address):
    client, line = connect(listener, address)
    client.send_bytes(b'{"hello":1}\n{"set":{}}\n')
    lines = line.lines(timeout=90)
    assert [next(lines), next(lines)] == ['{"hello":1}', '{"set":{}}']
    line.send("reply")
    assert client.recv_bytes() == b"reply\n"
    assert line.is_open()
    client.close()
    assert list(lines) == []
    line.close()
    assert not line.is_open()
    line.send("too late")


def test_instance_that_reads_nothing_is_left_without_waiting_for_it(listener, address):
    client, line = connect(listener, address)

    def fill():
        while line.is_open():  # until its buffers are full
            line.send("x" * 5000)

    filling = threading.Thread(target=fill, daemon=True)
    filling.start()
    filling.join(waiting.PATIENCE)
    assert not filling.is_alive()
    assert list(line.lines()) == []
    line.close()
    client.close()


def test_second_listener_is_refused(listener, address):
    assert listener
    with pytest.raises(BridgeError, match="another host may be running"):
        PipeListener(address, FAMILY)


def test_host_ends_when_it_is_idle(address, monkeypatch):
    monkeypatch.setattr(host, "listen", lambda name: PipeListener(name, FAMILY))
    running = host.PluginHost(print, address=address, linger=0.5)
    thread = threading.Thread(target=running.serve, args=(threading.Event(),), daemon=True)
    thread.start()
    thread.join(waiting.PATIENCE)
    assert not thread.is_alive()
    running.close()
