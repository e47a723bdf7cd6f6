"""The thread that serves a UDP port: nothing ends it but `stop`."""

import contextlib
import math
import socket

import pytest
from waiting import until

from bridge.udp_loop import UdpEventLoop, open_udp


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def started(on_wakeup, next_deadline=lambda: None):
            failures = []
            loop = UdpEventLoop(
                open_udp(("127.0.0.1", 0)), "test", on_wakeup, next_deadline, lambda: failures.append(1)
            )
            loop.start()
            stack.callback(loop.close)
            stack.callback(loop.stop)
            return loop, failures

        yield started


def send(loop, data=b"x"):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.sendto(data, ("127.0.0.1", loop.port))


@pytest.mark.parametrize("seconds", [1e7, 1e300, math.inf, -1.0, -math.inf])
def test_a_deadline_of_any_length_is_waited_for(serve, seconds):
    received = []
    loop, failures = serve(received.extend, lambda: seconds)
    send(loop, b"here")
    until(lambda: [data for data, _ in received] == [b"here"])
    assert failures == []


def test_it_goes_on_after_errors_of_all_that_it_calls(serve, caplog):
    received, broken = [], [True]

    def fail():
        if broken[0]:
            raise OverflowError("a deadline")

    loop, failures = serve(received.extend, fail)
    until(lambda: len(failures) > 5)
    broken[0] = False
    send(loop)
    until(lambda: received)
    assert caplog.text.count("Traceback") == 1
