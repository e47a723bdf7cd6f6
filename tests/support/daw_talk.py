"""A DAW's session without sockets: messages to it, messages from it, and a clock that a test advances."""

from bridge.daws.session import DawSession


class Talk:
    """A session with what it sends kept; time stands still but for `hears`."""

    def __init__(self, mixer, profile, port=8000, **settings):
        self.sent, self.now, self.mixer, self._port = [], 100.0, mixer, port
        self.session = DawSession(mixer, profile, lambda packet: self.sent.append(packet) is None, 9000, **settings)
        mixer.controls.subscribe(self.session.changed)
        self.session.initialize(self.now)

    def says(self, *packets):
        self.session.receive([(packet, ("127.0.0.1", self._port)) for packet in packets], self.now)

    def hears(self, later=1.0):
        """Let time pass; return what was sent."""
        self.now += later
        self.session.work(self.now)
        sent, self.sent[:] = self.sent.copy(), []
        return sent
