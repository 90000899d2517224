"""The gateway as a process that serves TLS itself, with a certificate of its own authority."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from shared.healthcheck import is_ready
from shared.testing.certificates import AT, Pair, make_pair, pem
from shared.testing.processes import Process, Roster


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def roster(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Roster]:
    """A gateway that serves TLS on a socket that its supervisor holds; no service is needed for who is logged in."""
    files = {"GATEWAY_TLS_CERTIFICATE": str(pair.certificate), "GATEWAY_TLS_KEY": str(pair.key)}
    with Roster(tmp_path_factory.mktemp("roster"), env=files) as roster:
        roster.gateway.hold()
        start(roster.gateway)
        yield roster


def start(process: Process) -> None:
    """As `make run` does it: it is ready when it says so."""
    reading, writing = os.pipe()
    process.start(ready_fd=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as ready:
        assert ready.readline() == b"ready\n", process.tail()


@pytest.fixture
def client(roster: Roster, pair: Pair) -> Iterator[httpx.Client]:
    trusting = ssl.create_default_context(cafile=pair.certificate)
    with httpx.Client(base_url=f"https://{AT}:{roster.gateway.port}", verify=trusting, timeout=30, trust_env=False) as client:
        yield client


def test_a_session_goes_round_over_tls(roster: Roster, client: httpx.Client) -> None:
    wrong = client.post("/v1/session", json={"username": "admin", "password": "not the password"})
    assert (wrong.status_code, client.get("/v1/session").status_code) == (401, 401)
    answer = client.post("/v1/session", json={"username": "admin", "password": roster.admin_password()})
    assert answer.status_code == 200
    assert client.cookies["__Host-session"]  # kept by its own rules: Secure, for this host, and sent back below
    assert client.get("/v1/session").json()["username"] == "admin"
    assert client.delete("/v1/session").status_code == 204
    assert client.get("/v1/session").status_code == 401


@pytest.mark.parametrize(("target", "status"), [("/", 200), ("/readyz", 200), ("/v1/session", 401), ("/nothing", 404)])
def test_every_answer_says_that_it_is_tls_from_now_on(client: httpx.Client, target: str, status: int) -> None:
    answer = client.get(target)
    assert (answer.status_code, answer.headers["strict-transport-security"]) == (status, "max-age=31536000")


def test_plain_http_is_answered_by_nothing(roster: Roster, client: httpx.Client) -> None:
    before = roster.gateway.tail()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{AT}:{roster.gateway.port}/readyz", timeout=30, trust_env=False)
    with socket.create_connection((AT, roster.gateway.port), timeout=30) as sock:
        sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP/" not in b"".join(iter(lambda: sock.recv(4096), b""))
    assert client.get("/readyz").status_code == 200
    assert "Traceback" not in roster.gateway.tail().removeprefix(before)


def test_the_health_check_of_a_container_asks_either_way(roster: Roster, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shared.healthcheck"]
    with Roster(tmp_path) as plain:
        assert not is_ready(plain.gateway.port), "nobody is there"
        plain.start("gateway")
        for found in (roster, plain):
            assert subprocess.run([*command, str(found.gateway.port)], check=False, timeout=30).returncode == 0
            assert "Traceback" not in found.gateway.tail()
        plain.gateway.kill()
    assert subprocess.run([*command, str(plain.gateway.port)], check=False, timeout=30).returncode == 1


def test_who_does_not_know_the_authority_is_not_fooled(roster: Roster) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{AT}:{roster.gateway.port}/readyz", timeout=30, trust_env=False)


@pytest.mark.parametrize(
    ("version", "spoken"), [(ssl.TLSVersion.TLSv1_1, None), (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_nothing_older_than_tls_1_2_is_spoken(roster: Roster, pair: Pair, version: ssl.TLSVersion, spoken: str | None) -> None:
    context = ssl.create_default_context(cafile=pair.certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else this side would refuse the old one itself
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((AT, roster.gateway.port), timeout=30) as sock:
        if spoken is None:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(sock, server_hostname=AT)
            return
        with context.wrap_socket(sock, server_hostname=AT) as secure:
            assert (secure.version(), secure.selected_alpn_protocol()) == (spoken, "http/1.1")


def test_a_renewed_certificate_is_taken_by_a_restart_that_refuses_nobody(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    files = {"GATEWAY_TLS_CERTIFICATE": str(pair.certificate), "GATEWAY_TLS_KEY": str(pair.key)}
    with Roster(tmp_path / "roster", env=files) as roster:
        roster.gateway.hold()
        start(roster.gateway)
        first = ssl.get_server_certificate((AT, roster.gateway.port))
        assert first == pair.certificate.read_text("ascii")
        make_pair(tmp_path)
        assert roster.gateway.restart() == 0
        assert ssl.get_server_certificate((AT, roster.gateway.port)) == pair.certificate.read_text("ascii") != first


def only_the_certificate(folder: Path) -> dict[str, str]:
    return {"CERTIFICATE": str(make_pair(folder).certificate)}


def only_the_key(folder: Path) -> dict[str, str]:
    return {"KEY": str(make_pair(folder).key)}


def missing(folder: Path) -> dict[str, str]:
    return {"CERTIFICATE": str(folder / "absent.pem"), "KEY": str(make_pair(folder).key)}


def a_folder(folder: Path) -> dict[str, str]:
    return {"CERTIFICATE": str(make_pair(folder).certificate), "KEY": str(folder)}


def of_two_pairs(folder: Path) -> dict[str, str]:
    return {"CERTIFICATE": str(make_pair(folder).certificate), "KEY": str(make_pair(folder, "other").key)}


def swapped(folder: Path) -> dict[str, str]:
    pair = make_pair(folder)
    return {"CERTIFICATE": str(pair.key), "KEY": str(pair.certificate)}


def rubbish(folder: Path) -> dict[str, str]:
    pair = make_pair(folder)
    pair.certificate.write_bytes(b"\x00\xffno certificate")
    return {"CERTIFICATE": str(pair.certificate), "KEY": str(pair.key)}


def with_a_passphrase(folder: Path) -> dict[str, str]:
    pair = make_pair(folder)
    pair.key.write_bytes(pem(pair.private, serialization.BestAvailableEncryption(b"secret")))
    return {"CERTIFICATE": str(pair.certificate), "KEY": str(pair.key)}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (only_the_certificate, "GATEWAY_TLS_KEY: is needed where GATEWAY_TLS_CERTIFICATE is given"),
        (only_the_key, "GATEWAY_TLS_CERTIFICATE: is needed where GATEWAY_TLS_KEY is given"),
        (missing, "absent.pem for TLS: No such file or directory"),
        (a_folder, "for TLS: Is a directory"),
        (of_two_pairs, "other.key is not the key of the certificate in"),
        (swapped, "they hold no certificate and key in PEM form"),
        (rubbish, "they hold no certificate and key in PEM form"),
        (with_a_passphrase, "the key for TLS needs a passphrase"),
    ],
)
def test_a_pair_that_cannot_be_used_is_told_in_one_line_at_the_start(
    tmp_path: Path, files: Callable[[Path], dict[str, str]], words: str
) -> None:
    with Roster(tmp_path / "roster") as roster:
        told = {f"GATEWAY_TLS_{name}": path for name, path in files(tmp_path).items()}
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **roster.gateway.env, **told}
        done = subprocess.run(
            roster.gateway.command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert words in done.stderr
