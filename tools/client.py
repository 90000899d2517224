"""A small client of the gateway for the command-line tools: plain HTTP, one session, uploads that stream."""

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

Document = dict[str, Any]


class Refused(Exception):
    """The gateway answered with a problem, or not at all; the text is fit for the user as it is."""


class Unauthorized(Refused):
    """The gateway does not know who asks."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: Document

    def require(self, status: int = 200) -> Document:
        """The document, or Refused with the problem's own words."""
        if self.status == status:
            return self.document
        lines = [str(self.document.get("message") or f"the gateway answered {self.status}")]
        lines += [f"  {fault.get('field')}: {fault.get('message')}" for fault in self.document.get("errors") or []]
        raise (Unauthorized if self.status == 401 else Refused)("\n".join(lines))


class _Pinned(http.client.HTTPSConnection):
    """To whoever has this certificate."""

    def __init__(self, certificate: bytes, host: str, port: int | None, timeout: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # looked at below
        super().__init__(host, port, timeout=timeout, context=context)
        self._certificate = certificate

    def connect(self) -> None:
        super().connect()
        if self.sock.getpeercert(binary_form=True) != self._certificate:
            self.close()
            raise OSError("it shows another certificate than the one that its settings name: was it started with that?")


class Gateway:
    """One connection at a time to the gateway at `url`; `timeout` is in seconds and holds for each wait, not for the whole.

    With a `certificate` (DER) that one is taken, whoever has signed it and for whatever name, and no other.
    """

    def __init__(self, url: str, certificate: bytes | None = None, timeout: float = 600.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"{url}: not an http or https address")
        self.url = url
        pinned = partial(_Pinned, certificate) if certificate else http.client.HTTPSConnection
        self._connect: Callable[..., http.client.HTTPConnection] = pinned if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._timeout = parts.hostname, parts.port, timeout
        self._cookie: str | None = None

    def log_in(self, user: str, password: str) -> None:
        """Keeps the session's cookie for what follows; sent by hand, since no cookie jar takes a Secure cookie over plain http."""
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        patient = {"X-Request-Timeout-Ms": "10000"}  # a password takes long to check on a busy machine
        response, document = self._send("POST", "/v1/session", {"Authorization": f"Basic {pair}", **patient}, b"")
        Answer(response.status, document).require(response.status if response.status in (200, 201) else 200)
        self._cookie = "; ".join(value.partition(";")[0] for value in response.headers.get_all("Set-Cookie") or [])

    def log_out(self) -> None:
        self._send("DELETE", "/v1/session", {}, None)
        self._cookie = None

    def get(self, path: str) -> Answer:
        response, document = self._send("GET", path, {}, None)
        return Answer(response.status, document)

    def upload(self, path: str, blocks: Iterable[bytes], size: int, content_type: str = "text/csv") -> Answer:
        """POSTs `size` bytes as they come."""
        response, document = self._send("POST", path, {"Content-Type": content_type, "Content-Length": str(size)}, blocks)
        return Answer(response.status, document)

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: Iterable[bytes] | bytes | None
    ) -> tuple[http.client.HTTPResponse, Document]:
        connection = self._connect(self._host, self._port, timeout=self._timeout)
        if self._cookie:
            headers = {**headers, "Cookie": self._cookie}
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before the upload was whole: the answer may be there already
                connection.request(method, path, body, {"Accept": "application/json", **headers})
            response = connection.getresponse()
            text = response.read()
            return response, json.loads(text) if text else {}
        except ConnectionRefusedError:
            raise Refused(f"no gateway answers at {self.url} (`make run` starts one)") from None
        except (OSError, http.client.HTTPException, ValueError) as fault:
            why = str(fault) or type(fault).__name__
            if isinstance(fault, http.client.BadStatusLine) and self.url.startswith("http:"):
                why += "; if it speaks TLS, GATEWAY_TLS_CERTIFICATE must be set here as it is there, or --gateway say https"
            raise Refused(f"{method} {path}: the gateway at {self.url} gave no answer ({why})") from fault
        finally:
            connection.close()
