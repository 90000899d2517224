"""The ASGI layer behind shared's own (request id, trace, log, metrics) and in front of everything else.

In order: the shape of the headers and the path, the route and its policy, the cross-site check, how often its address may try, the session
or token, how often its caller asks, the role, the deadline.
Then a service's own route goes to its forwarder, and everything else to Quart. Every answer gets the security headers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.credentials import SCOPE_KEY, Credentials, Grant
from gateway.edge.cors import preflight, readable
from gateway.edge.crosssite import same_site
from gateway.edge.deadlines import for_services, set_deadline
from gateway.edge.framing import check_headers, check_path, check_query
from gateway.edge.proxies import PEER, Network, client_of, counted_as, scheme_of
from gateway.edge.table import Route, Table, allow_header
from gateway.errors import CrossSite, InvalidToken, NotLoggedIn, ServiceUnavailable
from gateway.flights import ClientGone
from gateway.forward import BrokenResponse, Forwarder
from gateway.limits import Limits
from gateway.sessions import COOKIE, Sessions
from gateway.tokens import Tokens
from shared.errors import Forbidden, MethodNotAllowed, NotFound, Problem
from shared.exchange import CLIENT_GONE, Exchange, exchange_of
from shared.identity import Caller
from shared.operations import Limit
from shared.problems import send_problem

RawHeaders = list[tuple[bytes, bytes]]
Headers = Mapping[bytes, bytes]


SECURITY: Final = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
ENCRYPTED: Final = [*SECURITY, (b"strict-transport-security", b"max-age=31536000")]
_COOKIE: Final = COOKIE.encode() + b"="
_BEARER: Final = b"bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the edge is told: seconds for ordinary requests, origins that are ours, proxies that are believed."""

    timeout: float
    origins: frozenset[bytes]
    proxies: Sequence[Network]


class GatewayEdge:
    """Both ways through the gateway. `forwards` has a forwarder for each service by name; `table` comes once Quart's routes are known."""

    def __init__(
        self, sessions: Sessions, tokens: Tokens, limits: Limits, forwards: Mapping[str, Forwarder], policies: Policies, log: Any
    ) -> None:
        self.table = Table(())
        self._app: Any = None
        self._sessions = sessions
        self._tokens = tokens
        self._limits = limits
        self._forwards = forwards
        self._policies = policies
        self._log = log

    def before(self, app: Any) -> "GatewayEdge":
        """This edge, in front of Quart."""
        self._app = app
        return self

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        exchange = exchange_of(scope)
        headers = exchange.headers
        if self._policies.proxies:
            self._look_behind_proxies(scope, headers)
        secured = _Secured(send, ENCRYPTED if scope["scheme"] == "https" else SECURITY)
        if b"origin" in headers:
            secured.headers = [*secured.headers, *readable(headers, self._policies.origins)]
        try:
            route = self._route(scope, headers)
            if isinstance(route, bytes):
                await _send_empty(secured, [(b"allow", route), *preflight(headers, self._policies.origins, route)])
                return
            exchange.operation = route.name
            grant = await self._admit(scope, exchange, headers, route, secured)
            set_deadline(exchange, route.budget, self._policies.timeout)
            if route.upstream is None or grant is None:
                await self._app(scope, receive, secured)
            else:
                await self._forward(self._forwards[route.upstream], route, exchange, scope, receive, secured, grant.caller)
        except Problem as problem:
            if exchange.status:
                raise
            await send_problem(problem, scope, secured)

    async def _forward(
        self, forwarder: Forwarder, route: Route, exchange: Exchange, scope: Any, receive: Any, secured: "_Secured", caller: Caller
    ) -> None:
        try:
            await forwarder(
                scope,
                receive,
                secured.send,
                caller=caller,
                request_id=exchange.request_id,
                traceparent=exchange.traceparent,
                deadline=for_services(exchange),
                lane=route.lane,
                extra=secured.headers,
            )
        except ClientGone:
            exchange.status = exchange.status or CLIENT_GONE
        except BrokenResponse as error:  # the answer is left unfinished, so that the server cuts the connection
            self._log.warning("answer broken off", operation=exchange.operation, reason=str(error))

    def _route(self, scope: Any, headers: Headers) -> Route | bytes:
        """Which operation is asked for; the value of `Allow` for OPTIONS. Raises BadRequest, NotFound, MethodNotAllowed."""
        check_headers(scope["headers"], headers)
        path, query = scope["raw_path"], scope["query_string"]
        methods = self.table.methods(path)
        if methods is None:
            check_path(path)
            raise NotFound("There is nothing at this path; GET / lists what there is.")
        if query:
            check_query(query)
        route = methods.get(scope["method"])
        if route is not None:
            return route.chosen(query)
        if scope["method"] == "OPTIONS":
            return allow_header(methods).encode()
        raise MethodNotAllowed(headers={"Allow": allow_header(methods)})

    async def _admit(self, scope: Any, exchange: Exchange, headers: Headers, route: Route, secured: "_Secured") -> Grant | None:
        """Who is let in, left in the scope; what the answer says of their limit, left in `secured`. Of probes nobody asks who they are.

        Raises CrossSite, TooManyRequests, NotLoggedIn, InvalidToken, Forbidden, ServiceUnavailable by the route's policy.

        A token decides alone, also beside a cookie: what a program says is meant, while a cookie goes along with everything. No other
        site's page can send one, so only requests without a token are looked at for where they come from.
        """
        token = _token_of(headers)
        if token is None and not same_site(scope["method"], headers, self._policies.origins):
            raise CrossSite
        if route.limit is Limit.NOTHING and route.public:
            return None
        address = counted_as(scope["client"][0]) if scope["client"] else ""
        if route.limit is not Limit.CALLER:  # by address alone: before anything is looked up
            secured.headers = [*secured.headers, *await self._limits.ask(route.limit, "", address)]
        try:
            grant = await self._grant(token, headers, address)
        except ServiceUnavailable as problem:
            if not route.public:
                raise
            grant, scope[SCOPE_KEY] = None, problem
        if grant is not None:
            scope[SCOPE_KEY] = grant
            exchange.subject = grant.caller.subject
        if route.limit is Limit.CALLER:
            secured.headers = [*secured.headers, *await self._limits.ask(route.limit, exchange.subject or address, address)]
        if not route.public:
            _check_role(route, grant, token)
        return grant

    async def _grant(self, token: bytes | None, headers: Headers, address: str) -> Grant | None:
        """Who is let in with the token, or without one with the cookie. Raises ServiceUnavailable.

        And TooManyRequests for what may be a guess, from an address that has asked as often as it may: guesses cost the database no more
        than that.
        """
        shown = _cookie_of(headers) if token is None else token
        if shown is None:
            return None
        credentials: Credentials[Any] = self._sessions if token is None else self._tokens
        known: Grant | None = credentials.known(shown)
        if known is not None:
            return known
        if credentials.may_be_guessed(shown):
            self._limits.look(address)
        return await credentials.check(shown)

    def _look_behind_proxies(self, scope: Any, headers: Headers) -> None:
        """Put the client's own address and scheme into the scope, when a trusted proxy tells them."""
        proxies = self._policies.proxies
        if scope["client"]:
            peer = scope[PEER] = scope["client"][0]
            scope["scheme"] = scheme_of(scope["scheme"], peer, headers, proxies)
            forwarded = (value for name, value in scope["headers"] if name == b"x-forwarded-for")
            scope["client"] = (client_of(peer, forwarded, proxies), 0)

    async def _other(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":  # nothing here speaks it, and no policy has looked at it
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)


def _check_role(route: Route, grant: Grant | None, token: bytes | None) -> None:
    """Raises NotLoggedIn, InvalidToken, Forbidden."""
    if grant is None:
        raise NotLoggedIn if token is None else InvalidToken
    if grant.caller.role not in route.roles:
        whose = "yours" if token is None else "this token's"
        raise Forbidden(f"This needs the role {route.allow.role}; {whose} is {grant.caller.role}.")


class _Secured:
    """Adds the security headers to an answer that Quart, or the edge itself, gives; what the answer says itself stands."""

    __slots__ = ("headers", "send")

    def __init__(self, send: Any, headers: RawHeaders) -> None:
        self.send = send
        self.headers = headers

    def __call__(self, message: Any) -> Any:
        if message["type"] == "http.response.start":
            said = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(header for header in self.headers if header[0] not in said)]
        return self.send(message)


async def _send_empty(send: Any, headers: RawHeaders) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _cookie_of(headers: Headers) -> bytes | None:
    """The session's cookie; None without one, or with two that differ."""
    header = headers.get(b"cookie")
    if header is None or _COOKIE not in header:
        return None
    if b";" not in header:
        return header[len(_COOKIE) :] if header.startswith(_COOKIE) else None
    found = {part[len(_COOKIE) :] for part in (piece.strip() for piece in header.split(b";")) if part.startswith(_COOKIE)}
    return found.pop() if len(found) == 1 else None


def _token_of(headers: Headers) -> bytes | None:
    """What is shown as a bearer; None when nothing is."""
    header = headers.get(b"authorization")
    if header is None or header[: len(_BEARER)].lower() != _BEARER:
        return None
    return header[len(_BEARER) :].strip()
