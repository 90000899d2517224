"""Who is asking, and by which scheme: from the connection, or from `X-Forwarded-*` when a configured proxy says so."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network

PEER: Final = "peer"
"""Where the edge leaves the connection's own address in the scope, once `client` there may be another."""

LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-proto")
"""Headers of which a proxy adds one or another."""


def client_of(peer: str, forwarded: Iterable[bytes], trusted: Sequence[Network]) -> str:
    """The client's address: the peer, or behind trusted proxies the rightmost address that is none of them.

    `forwarded` are the values of all `X-Forwarded-For` lines in their order: each proxy may add one of its own. Text that is no address
    ends the walk: what stands left of it was written by nobody we trust.
    """
    address = peer
    if not trusted or not within(address, trusted):
        return address
    for hop in reversed(b",".join(forwarded).decode("latin-1").split(",")):
        text = hop.strip()
        try:
            address = str(ip_address(text))
        except ValueError:
            return address
        if not within(address, trusted):
            return address
    return address


def scheme_of(scheme: str, peer: str, headers: Mapping[bytes, bytes], trusted: Sequence[Network]) -> str:
    """`http` or `https`: the connection's own, or what a trusted proxy says of its own client's."""
    told = headers.get(b"x-forwarded-proto")
    if told in (b"http", b"https") and trusted and within(peer, trusted):
        return told.decode()
    return scheme


def counted_as(address: str) -> str:
    """What requests from an address are counted under: of IPv6 the network of 64 bits, all of whose addresses one machine may have."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed) >> 64 << 64, 64)))


def within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of these networks; an IPv4 address that came by an IPv6 socket is one of IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks if network.version == parsed.version)
