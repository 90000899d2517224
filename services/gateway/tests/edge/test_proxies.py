"""Whose word on a client's address is taken."""

from ipaddress import ip_network

import pytest

from gateway.edge.proxies import client_of, scheme_of

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", b"198.51.100.7", "192.0.2.1"),  # not a proxy of ours
        ("10.0.0.1", b"198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", b"203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),  # what stands left of it is the client's own claim
        ("10.0.0.1", b"198.51.100.7, rubbish", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("::1", b"2001:db8::7", "2001:db8::7"),
        ("/run/roster.sock", b"198.51.100.7", "/run/roster.sock"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_of_ours(peer: str, forwarded: bytes, client: str) -> None:
    assert client_of(peer, [forwarded], TRUSTED) == client
    assert client_of(peer, forwarded.split(b","), TRUSTED) == client, "a line for each proxy says the same"


def test_nobody_is_believed_unless_configured() -> None:
    assert client_of("127.0.0.1", [b"198.51.100.7"], []) == "127.0.0.1"
    assert scheme_of("http", "127.0.0.1", {b"x-forwarded-proto": b"https"}, []) == "http"


@pytest.mark.parametrize(("told", "scheme"), [(b"https", "https"), (b"http", "http"), (b"ftp", "http"), (b"", "http")])
def test_a_proxy_of_ours_tells_the_scheme(told: bytes, scheme: str) -> None:
    assert scheme_of("http", "10.0.0.1", {b"x-forwarded-proto": told}, TRUSTED) == scheme
