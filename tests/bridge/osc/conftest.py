"""Servers and peers."""

import contextlib

import pytest
from osc_peer import Peer

from bridge.osc.server import OscServer


@pytest.fixture
def serve(mixer):
    """Starts a server with settings of the test's."""
    running = []

    def started(**settings):
        running.append(OscServer(mixer, port=settings.pop("port", 0), **settings))
        running[-1].start()
        return running[-1]

    yield started
    for server in running:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def join():
    """Connects peers to a server."""
    with contextlib.ExitStack() as stack:

        def joined(server, *subscription):
            peer = Peer(server.port)
            stack.callback(peer.socket.close)
            if subscription:
                peer.send("/subscribe", *subscription)
                peer.sync()
                peer.quiet()
            return peer

        yield joined


@pytest.fixture
def peer(server, join):
    return join(server)
