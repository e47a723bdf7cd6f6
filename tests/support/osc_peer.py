"""An OSC peer on a UDP socket, and bundles for it to send."""

import contextlib
import socket
import time

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder, build_msg
from pythonosc.osc_packet import OscPacket
from waiting import QUIET, until

FADER, GAIN_DB = "/stem/vocals/fader", "stem/vocals/gain_db"


class Peer:
    """An OSC program at its own UDP port."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0)
        self.sizes = []

    @property
    def own_port(self):
        return self.socket.getsockname()[1]

    def send(self, address, *values):
        self.send_raw(build_msg(address, values).dgram)

    def send_typed(self, address, types, *values):
        builder = OscMessageBuilder(address)
        for tag, value in zip(types, values, strict=True):
            builder.add_arg(value, tag)
        self.send_raw(builder.build().dgram)

    def send_raw(self, packet):
        self.socket.sendto(packet, ("127.0.0.1", self.port))

    def listen(self):
        messages = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self.socket.recv(65535)
                self.sizes.append(len(packet))
                messages += [timed.message for timed in OscPacket(packet).messages]
        return [(message.address, *message.params) for message in messages]

    def receive(self, count=1):
        received = []
        until(lambda: received.extend(self.listen()) or len(received) >= count)
        return received

    def quiet(self):
        """Return the messages that arrive in a while in which none should."""
        time.sleep(QUIET)
        return self.listen()

    def request(self, address, *values):
        self.send(address, *values)
        return self.receive()[0]

    def sync(self):
        """Wait until all sent messages are handled; return the messages received before that."""
        self.send("/ping")
        received = []
        until(lambda: received.extend(self.listen()) or ("/pong",) in received)
        return [message for message in received if message != ("/pong",)]


def listing(peer):
    peer.send("/list")
    received = []
    until(lambda: received.extend(peer.listen()) or any(message[0] == "/list/end" for message in received))
    entries = [message for message in received if message[0] == "/list"]
    assert ("/list/end", len(entries)) in received
    return entries


def bundle(moment, *messages):
    builder = OscBundleBuilder(moment)
    for address, *values in messages:
        builder.add_content(build_msg(address, values))
    return builder.build().dgram
