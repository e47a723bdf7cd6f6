"""The plug-in's host without separators: gives instances rings, and returns their hops as a test decides."""

import json
import threading
import time

import numpy as np

from bridge.plugin.listener import listen
from stream_sep.audio.ring_layout import OFFLINE, RingLayout
from stream_sep.audio.rings import Rings
from stream_sep.audio.shared_rings import SharedRings

LAYOUT = RingLayout(channels=2, stems=4, hop=256, capacity=1 << 18, slots=1024)


def as_vocals(mix):
    """All of the mix as the first stem; the plug-in plays what has no stems as the last."""
    stems = np.zeros((LAYOUT.stems, *mix.shape), np.float32)
    stems[0] = mix
    return stems


def never(_mix):
    """No stems at all: a separator that hangs."""


def _compile():
    """Compile what the rings do before anybody waits for it."""
    rings = Rings(LAYOUT)
    rings.begin_stream()
    rings.read_hop(0, np.zeros((2, LAYOUT.hop), np.float32))
    rings.publish(0, np.zeros((LAYOUT.stems, 2, LAYOUT.hop), np.float32))


class PluginHostDouble:
    """Serves instances of the plug-in on a socket, in threads of the test.

    Attributes:
        hellos: what instances requested, in order.
        offline: for each hello with a reply, the values of the offline hint while hops arrived.
        hints: for each of them, the present offline hint; of a session that ended, the last.
        refusal: text that hellos get in place of rings, or None.
        separator: latency that replies name.
        moves: controls that it moves once an instance is running.
        replying: whether hellos get a reply.
        separate: function of a hop's mix that returns its stems, or None.
    """

    def __init__(self, address):
        _compile()
        self.hellos, self.offline, self.hints, self.refusal = [], [], [], None
        self.replying, self.separate = threading.Event(), as_vocals
        self.replying.set()
        self.separator, self.moves = 0, {}
        self._lines, self._closed = [], threading.Event()
        self._listener = listen(str(address))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def drop(self):
        """End all connections, as a host that is killed."""
        for line in self._lines:
            line.close()

    def close(self):
        self._closed.set()
        self.replying.set()
        self._threads[0].join()
        self._listener.close()
        self.drop()
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self):
        while not self._closed.is_set():
            line = self._listener.accept()
            if line is not None:
                self._lines.append(line)
                self._threads.append(threading.Thread(target=self._serve, args=(line,)))
                self._threads[-1].start()

    def _serve(self, line):
        self.hellos.append(json.loads(next(line.lines(), "null")))
        self.replying.wait()
        if self.refusal is not None:
            line.send(json.dumps({"error": self.refusal}))
            line.close()
            return
        rings, ended = SharedRings.create(LAYOUT), threading.Event()
        seen, number = set(), len(self.hints)
        self.offline.append(seen)
        self.hints.append(0)
        line.send(json.dumps({**rings.describe(), "separator": self.separator}))
        if self.moves:
            line.send(json.dumps({"set": self.moves}))
        delivery = threading.Thread(target=self._deliver, args=(rings, ended, seen, number))
        delivery.start()
        for _ in line.lines():
            pass
        ended.set()
        delivery.join()
        self.hints[number] = int(rings.positions[OFFLINE])
        rings.close()

    def _deliver(self, rings, ended, seen, session):
        begin, number, mix = -1, 0, np.zeros((2, LAYOUT.hop), np.float32)
        while not ended.is_set():
            captured = rings.captured()
            if rings.stream_begin() != begin:
                begin = rings.stream_begin()
                number = begin // LAYOUT.hop
            while (number + 1) * LAYOUT.hop <= captured:
                rings.read_hop(number, mix)
                stems = self.separate(mix)
                if stems is not None:
                    rings.publish(number, stems)
                number += 1
                seen.add(int(rings.positions[OFFLINE]))
            self.hints[session] = int(rings.positions[OFFLINE])
            time.sleep(0.0005)
