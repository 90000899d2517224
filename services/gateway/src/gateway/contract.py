"""What the gateway's OpenAPI document says beyond its operations: the ways in, the problems that are its own, and what it forwards."""

from typing import Final, Literal

from msgspec import UNSET, UnsetType

from gateway.errors import CrossSite, NotLoggedIn, ServiceUnavailable, WrongCredentials
from gateway.examples import EXAMPLES
from gateway.sessions import COOKIE
from gateway.union import Document, add_forwarded
from shared.errors import Forbidden, Overloaded
from shared.openapi import Contract, ProblemDocument
from shared.openapi.headers import response_headers
from shared.transfers import ImportRefused

Upstream = Literal["employees", "teams"]
SESSION: Final = {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "The session that POST /v1/session began."}
TOKEN: Final = {"type": "http", "scheme": "bearer", "description": "A token of POST /v1/tokens. Beside a cookie, the token alone counts."}
BASIC: Final = {"type": "http", "scheme": "basic", "description": "Username and password: to log in without a body, or to make a token."}


class GatewayProblem(ProblemDocument, kw_only=True):
    """An error (RFC 9457). `service` names the one that it came from."""

    service: Upstream | UnsetType = UNSET


class MembershipsRefused(ImportRefused, kw_only=True):
    """A table that was refused, by the gateway or by the service behind it."""

    service: Upstream | UnsetType = UNSET


ASKED_FOR: Final = frozenset({"list_sessions", "list_tokens"})
"""What anyone may read of their own account, and only admins of others."""


def _complete(document: Document) -> Document:
    """With what is forwarded. Where any role may read and no service is asked, nobody is refused: other sites' reads aren't either."""
    for methods in document["paths"].values():
        read = methods.get("get", {})
        if read.get("x-policy") == "read" and "502" not in read["responses"] and read["operationId"] not in ASKED_FOR:
            read["responses"].pop("403")
    return _with_limits(add_forwarded(document))


def _with_limits(document: Document) -> Document:
    """With the headers that tell of limits, on every answer that may carry them."""
    told = response_headers({"RateLimit": {}, "RateLimit-Policy": {}})
    counted = (one for methods in document["paths"].values() for one in methods.values() if "429" in one["responses"])
    for responses in (document["components"]["responses"], *(one["responses"] for one in counted)):
        for response in responses.values():
            if "$ref" not in response:
                response["headers"] = {**response["headers"], **told}
    return document


CONTRACT: Final = Contract(
    examples=EXAMPLES,
    schemes={"session": SESSION, "token": TOKEN},
    other_schemes={"basic": BASIC},
    kinds={
        401: (NotLoggedIn, WrongCredentials),
        403: (Forbidden, CrossSite),
        503: (Overloaded, ServiceUnavailable),
    },
    problem=GatewayProblem,
    everywhere=(400, 500, 504),
    counted=(429,),
    complete=_complete,
)
