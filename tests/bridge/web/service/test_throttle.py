"""Rate limits: what an attempt is counted for, and what is forgotten."""

import pytest

from bridge.web.problems import Problem
from bridge.web.service import throttle
from bridge.web.service.throttle import Throttle


@pytest.fixture
def limits(clock):
    return Throttle(clock)


def passes(limits, who, what="sign-up", limit=5, seconds=3600.0):
    try:
        limits.check(what, who, limit, seconds)
    except Problem:
        return False
    return True


def test_all_addresses_of_an_ipv6_network_count_as_one(limits):
    assert [passes(limits, f"2001:db8:1:2:{number:x}::7") for number in range(6)] == [True] * 5 + [False]
    assert passes(limits, "2001:db8:1:3::7")


def test_an_ipv4_address_counts_by_itself_however_it_is_written(limits):
    assert [passes(limits, who) for who in ["192.0.2.1", "::ffff:192.0.2.1"] * 3] == [True] * 5 + [False]
    assert passes(limits, "192.0.2.2")


def test_traffic_of_one_kind_forgets_no_attempts_of_another(limits, clock, monkeypatch):
    monkeypatch.setattr(throttle, "_MAX_KEYS", 10)
    limits = Throttle(clock)
    assert all(passes(limits, "192.0.2.1") for _ in range(5))
    clock.now += 120
    for number in range(50):
        passes(limits, f"198.51.100.{number}", "login", 20, 60.0)
    assert not passes(limits, "192.0.2.1")


def test_what_is_over_is_forgotten(limits, clock, monkeypatch):
    monkeypatch.setattr(throttle, "_MAX_KEYS", 10)
    limits = Throttle(clock)
    for number in range(200):
        passes(limits, f"198.51.100.{number}", "login", 20, 60.0)
        clock.now += 30
    assert len(limits._windows) <= 11
