"""A DAW without sockets: packets to and from its session, and a clock that a test advances."""

from bridge.daws.session import DawSession


class DawDouble:
    """The other end of a `DawSession`; time passes only in `receive`."""

    def __init__(self, mixer, profile, port=8000, **settings):
        self.received, self.now, self.mixer, self._port = [], 100.0, mixer, port
        self.session = DawSession(
            mixer, profile, lambda packet: self.received.append(packet) is None, 9000, **settings
        )
        mixer.controls.subscribe(self.session.changed)
        self.session.initialize(self.now)

    def send(self, *packets):
        self.session.receive([(packet, ("127.0.0.1", self._port)) for packet in packets], self.now)

    def receive(self, after=1.0):
        """Advance the clock; return the packets that arrived."""
        self.now += after
        self.session.work(self.now)
        received, self.received[:] = self.received.copy(), []
        return received
