"""Deliveries to the outside: where they may go, over which connection, and how long they take."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.clients.receivers import Receivers, is_public

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


PRIVATE = """127.0.0.1 10.1.2.3 192.168.0.1 172.16.0.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1
240.0.0.1 ::1 :: fe80::1 fe80::1%eth0 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2002:a00:1::
2001:db8::1 fec0::1 ::127.0.0.1"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private_addresses_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::808:808"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


@asynccontextmanager
async def listening(handler: Handler, **options: Any) -> AsyncIterator[int]:
    """A port where a handler answers, as long as the block lasts; every connection is closed at its end."""
    under_way: set[asyncio.Task[Any]] = set()

    async def closed_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(closed_after, "127.0.0.1", 0, **options)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*under_way)
        await asyncio.sleep(0.05)  # for connections that never came to a handler


def answering(head: bytes, body: bytes = b"", seen: list[bytes] | None = None) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head_of_request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head_of_request)
        writer.write(head + b"\r\n\r\n" + body)
        await writer.drain()

    return handler


async def test_private_addresses_are_refused_unless_allowed() -> None:
    seen: list[bytes] = []
    async with listening(answering(b"HTTP/1.1 204 No Content", seen=seen)) as port:
        for url in (
            f"https://127.0.0.1:{port}/",
            f"https://localhost:{port}/",
            f"https://[::ffff:127.0.0.1]:{port}/",
            f"http://127.0.0.1:{port}/",
        ):
            outcome = await Receivers(private=False).deliver(url, {}, b"{}")
            assert (outcome.status, outcome.delivered) == (None, False)
            assert outcome.error
        assert seen == []
        outcome = await Receivers(private=True).deliver(f"http://localhost:{port}/a?b=c", {"webhook-id": "m"}, b"{}")
        assert (outcome.status, outcome.error, outcome.delivered) == (204, None, True)
    assert seen[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"\r\nHost: localhost:%d\r\n" % port in seen[0]


class Names:
    """A resolver that gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def test_a_name_that_changes_its_mind_leads_nowhere_else() -> None:
    """DNS rebinding: the address that was looked at is the one that is connected to; nobody resolves the name again."""
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    async with listening(answering(b"HTTP/1.1 204 No Content")) as port:
        outcome = await Receivers(private=True, resolve=names).deliver(f"http://rebound.invalid:{port}/", {}, b"")
    assert (outcome.status, names.asked) == (204, ["rebound.invalid"])


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:10.0.0.1"]])
async def test_a_name_with_any_private_address_is_refused(addresses: list[str]) -> None:
    names = Names(addresses)
    outcome = await Receivers(private=False, resolve=names).deliver("https://inside.example/", {}, b"")
    assert "private" in (outcome.error or "")
    assert names.asked == ["inside.example"]


async def test_redirects_are_not_followed() -> None:
    seen: list[bytes] = []
    async with listening(answering(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0", seen=seen)) as port:
        outcome = await Receivers(private=True).deliver(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (outcome.status, outcome.delivered, len(seen)) == (307, False, 1)


async def test_an_endless_answer_is_cut_off() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with listening(endless) as port:
        assert (await Receivers(private=True).deliver(f"http://127.0.0.1:{port}/", {}, b"{}")).delivered


async def test_silence_is_waited_for_only_so_long() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        outcome = await Receivers(private=True, within=0.2).deliver(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert outcome.error == "no answer within 0.2 s"


WRONG = ["http://127.0.0.1:1/", "https://nowhere.invalid/", "http://127.0.0.1:1", "http:///", "https:x"]
NAMELESS = ["https://a..b/hook", "https://.example.com/", f"https://{'a' * 64}.example/", "https://xn--/", "https://xn--a.example/"]


@pytest.mark.parametrize("url", WRONG + NAMELESS)
async def test_whatever_goes_wrong_is_an_outcome(url: str) -> None:
    outcome = await Receivers(private=True, within=5).deliver(url, {}, b"{}")
    assert outcome.status is None
    assert outcome.error


async def test_rubbish_and_retry_after() -> None:
    async with listening(answering(b"no HTTP")) as port:
        assert (await Receivers(private=True).deliver(f"http://127.0.0.1:{port}/", {}, b"{}")).status is None
    async with listening(answering(b"HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0")) as port:
        assert (await Receivers(private=True).deliver(f"http://127.0.0.1:{port}/", {}, b"{}")).retry_after == 17


async def test_a_certificate_is_demanded_for_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to an address; who is there proves it for the name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    receiver = Receivers(private=True)
    async with listening(answering(b"HTTP/1.1 204 No Content"), ssl=certified(tmp_path)) as port:
        good = await receiver.deliver(f"https://localhost:{port}/", {}, b"{}")
        wrong = await receiver.deliver(f"https://127.0.0.1:{port}/", {}, b"{}")
        monkeypatch.delenv("SSL_CERT_FILE")
        unknown = await Receivers(private=True).deliver(f"https://localhost:{port}/", {}, b"{}")
    assert (good.error, good.status) == (None, 204)
    assert [(one.status, "ertificate" in (one.error or "")) for one in (wrong, unknown)] == [(None, True), (None, True)]


def certified(folder: Path) -> ssl.SSLContext:
    """A server's use of a certificate for `localhost`, which is in `certificate.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
