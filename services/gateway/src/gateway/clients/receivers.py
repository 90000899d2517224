"""Deliveries to addresses that an admin has named: out of the house, so with more care than anything that is asked within.

The name is resolved here, every address that it has is checked, and the connection goes to one of those that were: a name that resolves
to something else a moment later leads nowhere else. No redirect is followed, no environment read, little of the answer kept.

Each delivery has a client of its own, which makes one connection: httpx's pool loses connections when requests are cancelled, so none is
shared, and no request of ours waits for one.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from gateway.clients.faults import retry_after

WITHIN: Final = 10.0
"""Seconds for a delivery, from the look-up of the name to the end of the answer."""

MOST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read, and thrown away."""

_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
Resolve = Callable[[str, int], Awaitable[list[str]]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: the receiver's status, or an error when no answer came; `retry_after` in seconds, if it said so."""

    status: int | None
    error: str | None
    seconds: float
    retry_after: int | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Receivers:
    """Whoever is delivered to. With `private`, addresses that are not of the public internet are taken too, and http without TLS.

    `within` is how many seconds a delivery may take; `resolve` gives the addresses of a host. Who is who is what the authorities of
    SSL_CERT_FILE or SSL_CERT_DIR say, or those that come with certifi.
    """

    def __init__(self, *, private: bool, within: float = WITHIN, resolve: Resolve | None = None) -> None:
        self._private = private
        self._within = within
        self._resolve = resolve or _resolve
        self._trust: ssl.SSLContext | None = None

    async def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """POST a body. Whatever goes wrong is an Outcome."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._within):
                response = await self._post(httpx.URL(url), headers, body)
        except TimeoutError:
            return Outcome(None, f"no answer within {self._within:g} s", time.monotonic() - started)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, Refused) as error:
            return Outcome(None, _words(error), time.monotonic() - started)
        fault = None if response.is_success else f"the receiver answered {response.status_code}"
        return Outcome(response.status_code, fault, time.monotonic() - started, retry_after(response))

    async def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        if url.scheme != "https" and not self._private:
            raise Refused("only https is delivered to")
        address = await self._address(url.host, url.port or (443 if url.scheme == "https" else 80))
        async with httpx.AsyncClient(
            verify=self._trusted(), trust_env=False, follow_redirects=False, timeout=self._within, limits=httpx.Limits(max_connections=1)
        ) as client:
            request = client.build_request(
                "POST",
                url.copy_with(host=address),
                headers={"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", "Connection": "close", **headers},
                content=body,
                extensions={"sni_hostname": url.host},
            )
            response = await client.send(request, stream=True)
            size = 0
            async for piece in response.aiter_raw():
                size += len(piece)
                if size > MOST_ANSWER:
                    break
            await response.aclose()
            return response

    async def _address(self, host: str, port: int) -> str:
        """One of the addresses of a host, all of which are such as may be delivered to. Raises Refused, OSError."""
        addresses = await self._resolve(host, port)
        if not self._private:
            for address in addresses:
                if not is_public(address):
                    raise Refused(f"{host} is at a private address, and GATEWAY_WEBHOOK_PRIVATE is not set")
        return addresses[0]

    def _trusted(self) -> ssl.SSLContext:
        """Read once: it takes 20 ms."""
        if self._trust is None:
            self._trust = httpx.create_ssl_context()
        return self._trust


class Refused(Exception):
    """Where nothing is delivered."""


def check_host(url: str) -> None:
    """Raise ValueError for an address whose host no resolver can be asked for."""
    try:
        httpx.URL(url).host.encode("idna")
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet, as is any IPv4 address within it (mapped, 6to4, NAT64)."""
    address = ipaddress.ip_address(text.partition("%")[0])
    inner: Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local  # fec0::/10 (RFC 3879), global to `ipaddress`
    return address.is_global and not (local or address.is_multicast or address.is_reserved or address.is_unspecified)


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:500]
