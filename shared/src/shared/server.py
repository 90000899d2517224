"""Serving an app on uvicorn: uvloop, httptools, kept connections, TLS where there is a certificate, a graceful end.

On SIGTERM a service says at once that it is not ready (503 from /readyz), and goes on answering for `lame_duck` seconds, each answer
with `Connection: close`: who sends it requests has time to notice, and to let go of its connections. Then it takes no more, and finishes
what runs within `graceful_timeout` seconds. SIGINT, and a second SIGTERM, leave the first part out.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import ssl
import time
from typing import Any

import uvicorn

from shared.accepting import Acceptor
from shared.config import ServiceSettings
from shared.observe import route_standard_logging
from shared.pool import SERVER_KEEP_ALIVE
from shared.protocol import Protocol

BACKLOG = 2048
FIRST_REQUEST = 1.0
"""Seconds that a connection's first request has to arrive when the service takes no further connections."""


class StartFault(Exception):
    """The service can't start; the message is one line for people."""


def serve(app: Any, settings: ServiceSettings, *, fd: int | None = None, ready_fd: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Raises StartFault.

    `fd` is an open listening socket; to the descriptor `ready_fd` a line is written when requests are taken.
    """
    config = server_config(app, settings)
    sock = _listen(settings, fd)
    route_standard_logging(app.extensions["log"], settings.log_level)
    server = _Server(config, app, settings.lame_duck, ready_fd)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)  # uvicorn raises what it caught once more at its end, by then for nobody
    try:
        server.run(sockets=[sock])
    except SystemExit as error:  # what uvicorn raises when the app could not start
        raise StartFault(app.extensions.get("start_fault", "the service could not start")) from error
    finally:
        sock.close()


def server_config(app: Any, settings: ServiceSettings) -> uvicorn.Config:
    """How an app is served. Raises StartFault for a certificate that can't be used."""
    certificate = settings.certificate()
    context = certificate and tls_context(*certificate)
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=SERVER_KEEP_ALIVE,
        timeout_graceful_shutdown=settings.graceful_timeout,
        backlog=BACKLOG,
        ssl_context_factory=(lambda *_: context) if context else None,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: Any, lame_duck: float, ready_fd: int | None) -> None:
        super().__init__(config)
        self._app = app
        self._lame_duck = lame_duck
        self._ready_fd = ready_fd
        self._leaves_at: float | None = None
        self._words = logging.getLogger("uvicorn.error")
        self._words.setLevel(logging.CRITICAL)  # a failed start is told in one line, by the one who called

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        if self.started:
            self.servers = [self._acceptor(sock) for sock in sockets or ()]
        self._words.setLevel(logging.WARNING)
        if self.started and sockets:
            settle()
            self._app.extensions["log"].info("serving", address=_address(sockets[0]))
            if self._ready_fd is not None:
                os.write(self._ready_fd, b"ready\n")
                os.close(self._ready_fd)

    def _acceptor(self, sock: socket.socket) -> Any:
        def connection() -> Protocol:
            return Protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        return Acceptor(sock, connection, self.server_state.connections, self.config.ssl, BACKLOG)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._app.stopping = True
        if sig == signal.SIGTERM and self._leaves_at is None and self._lame_duck:
            self._leaves_at = time.monotonic() + self._lame_duck
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which would reset the connections that were just taken and whose first request is on its way."""
        for server in self.servers:
            server.close()
        until = time.monotonic() + FIRST_REQUEST
        while time.monotonic() < until and self._awaits_first_requests():  # noqa: ASYNC110 - a connection tells nobody
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def _awaits_first_requests(self) -> bool:
        acceptors: list[Any] = self.servers
        begun = any(acceptor.begun for acceptor in acceptors)
        return begun or any(isinstance(found, Protocol) and found.cycle is None for found in self.server_state.connections)

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, ten times a second; ends the service when its time as a lame duck is over."""
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            return True
        return await super().on_tick(counter)


def settle() -> None:
    """After start: what lives for ever is left out of collections, and those come less often (p99 18 → 7 ms)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 and newer with what stands in two PEM files. Raises StartFault naming the one that is at fault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):  # OpenSSL would not say which of the two it could not read
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise StartFault(f"can't read {path} for TLS: {error.strerror or error}") from error
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartFault(f"{key} is not the key of the certificate in {certificate}") from error
        raise StartFault(f"can't use {certificate} with {key} for TLS: they hold no certificate and key in PEM form") from error
    return context


def _no_passphrase() -> str:
    """Asked for by OpenSSL, which would otherwise ask at the terminal."""
    raise StartFault("the key for TLS needs a passphrase: give it without one, in a file for the service's user alone")


def _listen(settings: ServiceSettings, fd: int | None) -> socket.socket:
    if fd is not None:
        return socket.socket(fileno=fd)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StartFault(f"can't listen on {settings.host}:{settings.port}: {error.strerror or error}") from error
    return sock


def _address(sock: socket.socket) -> str:
    name = sock.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)


def _ignore(number: int, frame: Any) -> None:
    """Nothing is left to be done."""
