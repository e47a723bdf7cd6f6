"""Clients behind a proxy, on a running server: forwarded addresses count if the proxy is trusted, and only then."""

import urllib.error

import pytest
from serving import call, serving
from web_service import PASSWORD

SIGN_UPS = 5  # of one address within an hour
GUESTS = [f"203.0.113.{number}" for number in range(SIGN_UPS + 1)]


def status(method, url, data=None, forwarded="", **headers):
    if forwarded:
        headers["X-Forwarded-For"] = forwarded
    try:
        call(method, url, data, **headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def sign_ups(base, addresses):
    """Try to sign up, which needs an invitation here, from some addresses; return the statuses."""
    account = {"name": "bea", "password": PASSWORD}
    return [status("POST", f"{base}/api/v1/users", account, address, Origin=base) for address in addresses]


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    """The address of a server that trusts no proxy."""
    with serving(tmp_path_factory.mktemp("direct"), "--role", "web") as (_, base, _key):
        yield base


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """The address of a server that trusts a proxy on this machine."""
    options = ("--role", "web", "--trusted-proxy", "127.0.0.1")
    with serving(tmp_path_factory.mktemp("behind"), *options) as (_, base, _key):
        yield base


def test_forged_forwarded_headers_change_nothing(direct):
    assert sign_ups(direct, GUESTS) == [403] * SIGN_UPS + [429]
    assert status("GET", f"{direct}/metrics", forwarded=GUESTS[0]) == 200  # it is this machine that asks
    assert status("GET", f"{direct}/api/v1/server", **{"X-Forwarded-Host": "evil.example"}) == 200


def test_each_client_of_a_trusted_proxy_has_its_own_limit(behind):
    assert sign_ups(behind, GUESTS) == [403] * (SIGN_UPS + 1)
    assert sign_ups(behind, [GUESTS[0]] * SIGN_UPS) == [403] * (SIGN_UPS - 1) + [429]


@pytest.mark.parametrize("forwarded", [GUESTS[0], f"127.0.0.1, {GUESTS[0]}", "2001:db8::1"])
def test_clients_of_a_trusted_proxy_do_not_read_the_metrics(behind, forwarded):
    assert status("GET", f"{behind}/metrics", forwarded=forwarded) == 404
    assert status("GET", f"{behind}/metrics") == 200
