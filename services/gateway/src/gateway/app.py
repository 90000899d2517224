"""The gateway's composition root: everything is made and joined here, and nowhere else."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from quart import Quart, Request
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway import config
from gateway.admin import ensure_admin
from gateway.clients import UPSTREAMS, Rule, Upstream, public_rules
from gateway.clients.provider import Provider
from gateway.config import Settings
from gateway.contract import CONTRACT
from gateway.credentials import CHECK, ISSUER, SCOPE_KEY, Grant
from gateway.edge import MOST, GatewayDoor, GatewayEdge, Policies, Route, Table, own_routes, routes_of
from gateway.edge.proxies import FORWARDED, LOOPBACK, PEER, Network, within
from gateway.errors import NotLoggedIn
from gateway.follower import StaffFollower
from gateway.forward import Forwarder
from gateway.limits import Limits, Rates
from gateway.oidc import OpenId
from gateway.outlets import Outlets
from gateway.passwords import Passwords
from gateway.resilience import RESPECTED, TRY_SHARE, Calls, Figures
from gateway.revocations import InDatabase, InRedis, Revocations
from gateway.routes import BLUEPRINTS
from gateway.routes.context import EXTENSION, Parts
from gateway.sessions import COOKIE, SessionCookies, Sessions
from gateway.tokens import Tokens
from shared.client import PATIENCE
from shared.db import Database
from shared.identity import Caller, Minter
from shared.lifecycle import keep_database, make_database
from shared.observe import logger
from shared.operations import operation_of
from shared.pool import Pool
from shared.service import Service, create_service

REDIS_TIMEOUT: Final = 0.25
REDIS_CONNECTIONS: Final = 32
"""Few: making one takes longer than an answer, so a burst of callers is answered sooner over these than over one for each."""
DESCRIPTION = "The door to the directory: log-in, routing, and what is put together from several services."
LOG_INS: Final = 0.1
"""How much of what may be under way log-ins may be: each costs as much as a thousand reads."""


def create_app(settings: Settings | None = None, *, clock: Callable[[], float] = time.time, patience: float = PATIENCE) -> Service:
    """The gateway as an ASGI app. Opens nothing before it serves. Raises SettingsError.

    `clock` (seconds since the epoch) is what sessions and tokens are measured by; `patience` (seconds) is had with clients that move no
    byte, whichever way their requests take.
    """
    settings = settings or config.load_settings()
    config.check(settings)
    log = logger("gateway", settings.log_level)
    db = make_database(settings)
    cookies = SessionCookies(config.session_keys(settings))
    redis = make_redis(settings)
    bearers = _bearers(settings)
    calls = {"employees": _calls(settings, settings.employees_url), "teams": _calls(settings, settings.teams_url)}
    parts = _parts(settings, db, cookies, redis, calls, bearers, clock, patience, log)
    follower = StaffFollower(settings, db, bearers["employees"], parts.ending, log)
    forwards = {name: Forwarder(calls[name], name, bearers[name], patience=patience) for name in UPSTREAMS}
    edge = GatewayEdge(parts.sessions, parts.tokens, parts.limits, forwards, _policies(settings), log)
    app = create_service(
        "gateway",
        settings,
        BLUEPRINTS,
        description=DESCRIPTION,
        identify=_caller,
        checks={"database": db.ping, **({} if redis is None else {"redis": partial(redis.execute_command, "PING")})},
        details={"employees": follower.report, **parts.outlets.details},
        inside=partial(_inside, [*LOOPBACK, *config.networks(settings.metrics_from)]),
        session_interface=cookies,
        middleware=edge.before,
        contract=CONTRACT,
        endpoints=[_listed(upstream, rule) for upstream, rule in public_rules()],
        longest=MOST,
        door=partial(GatewayDoor, calls, edge),
        log=log,
    )
    app.patience = patience
    _harden_cookie(app)
    edge.table = Table(routes_of(_own_routes(app)))
    app.extensions.update({EXTENSION: parts, "follower": follower})
    for figures in (Figures(calls), parts.limits, follower, *parts.outlets.figures):
        app.extensions["metrics"].registry.register(figures)
    _live(app, db, parts, settings, redis)
    return app


def _parts(
    settings: Settings,
    db: Database,
    cookies: SessionCookies,
    redis: Redis | None,
    calls: Mapping[str, Calls],
    bearers: Mapping[str, Callable[[Caller], str]],
    clock: Callable[[], float],
    patience: float,
    log: Any,
) -> Parts:
    """What the views ask."""
    revocations = make_revocations(redis, log)
    services = {name: Upstream(name, rules, calls[name], bearers[name], patience=patience) for name, rules in UPSTREAMS.items()}
    return Parts(
        services["employees"],
        services["teams"],
        Sessions(db, cookies, revocations, idle=settings.session_idle, absolute=settings.session_absolute, clock=clock, log=log),
        Tokens(db, revocations, clock=clock, log=log),
        revocations,
        _hashing(settings),
        Limits(_rates(settings), clock=clock, log=log, shared=redis),
        Outlets(settings, db, bearers, log),
        _openid(settings, clock),
        cookies.conceal,
        log,
    )


def make_revocations(redis: Redis | None, log: Any) -> Revocations:
    """How other processes learn of what ends."""
    return InDatabase() if redis is None else InRedis(redis, log)


def make_redis(settings: Settings) -> Redis | None:
    """The way to Redis: what is not answered within a quarter of a second is not waited for, nor asked more than twice.

    More questions at a time than connections wait for one: many callers at once are no reason to let nobody in.
    """
    if not settings.redis_url:
        return None
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
        max_connections=REDIS_CONNECTIONS,
        timeout=CHECK,
    )
    return Redis.from_pool(pool)


def _live(app: Quart, db: Database, parts: Parts, settings: Settings, redis: Redis | None) -> None:
    """What happens before the first request and after the last: what may still write ends before the database closes."""
    follower = app.extensions["follower"]

    async def prepare() -> None:
        await ensure_admin(db, parts.passwords, settings)
        await parts.passwords.warm()
        await parts.outlets.start()

    async def finish() -> None:
        await parts.outlets.stop()
        for credentials in (parts.sessions, parts.tokens):
            await credentials.close()
        parts.passwords.close()
        for service in (parts.employees, parts.teams):
            await service.close()
        if redis is not None:
            await redis.aclose()

    app.after_serving(follower.stop)
    app.after_serving(finish)
    keep_database(app, db, "gateway", migrate=settings.migrate)
    app.before_serving(prepare)
    app.before_serving(follower.start)


def _inside(networks: Sequence[Network], request: Request) -> bool:
    """Whether a request comes from one of these networks. By a socket that is no network's, or through a proxy that is not believed or
    does not say for whom it asks, it comes from nobody knows where.
    """
    client = request.scope.get("client")
    if client is None:
        return False
    told = request.scope.get(PEER, client[0]) != client[0]
    return within(client[0], networks) and (told or not any(name in request.headers for name in FORWARDED))


def _caller(request: Request) -> Caller:
    """Who asks, by what the edge left in the scope. It lets only those it knows through to what is not public."""
    grant: Any = request.scope.get(SCOPE_KEY)
    if not isinstance(grant, Grant):
        raise NotLoggedIn
    return grant.caller


def _openid(settings: Settings, clock: Callable[[], float]) -> OpenId | None:
    if not settings.oidc_issuer:
        return None
    return OpenId(
        Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret),
        redirect_uri=settings.oidc_redirect_uri,
        claim=settings.oidc_claim,
        keys=config.session_keys(settings),
        clock=clock,
    )


def _calls(settings: Settings, origin: str) -> Calls:
    """The way to a service. One that does not answer within half of what a first try has by default counts as failing, or after 250 ms."""
    connect = settings.connect_timeout_ms / 1000
    pool = Pool(origin, size=settings.pool_size, connect_timeout=connect)
    feeds = Pool(origin, size=settings.upstream_feeds, connect_timeout=connect)
    respected = min(RESPECTED, TRY_SHARE / 2 * settings.request_timeout_ms / 1000)
    return Calls(pool, feeds, requests=settings.upstream_requests, transfers=settings.upstream_transfers, respected=respected)


def _hashing(settings: Settings) -> Passwords:
    return Passwords(most=int(LOG_INS * len(UPSTREAMS) * settings.upstream_requests))


def _rates(settings: Settings) -> Rates:
    return Rates(caller=settings.rate_limit, address=settings.log_in_limit_address, username=settings.log_in_limit)


def _bearers(settings: Settings) -> dict[str, Callable[[Caller], str]]:
    """What says who asks, for each service."""
    minter = Minter(ISSUER, settings.signing_key)
    return {name: partial(_bearer, minter, name) for name in UPSTREAMS}


def _bearer(minter: Minter, service: str, caller: Caller) -> str:
    return minter.mint(caller, service)


def _policies(settings: Settings) -> Policies:
    return Policies(
        timeout=settings.request_timeout_ms / 1000,
        origins=frozenset(origin.encode() for origin in settings.origins),
        proxies=config.networks(settings.trusted_proxies),
    )


def _own_routes(app: Quart) -> list[Route]:
    operations = {endpoint: found for endpoint, view in app.view_functions.items() if (found := operation_of(view)) is not None}
    return own_routes(app.url_map.iter_rules(), operations)


def _listed(upstream: str, rule: Rule) -> Mapping[str, Any]:
    """How the home document shows a forwarded operation."""
    path = re.sub(r"<(?:[^:>]*:)?([^>]+)>", r"{\1}", rule.path)
    summary = f"Answered by {upstream}."
    return {"method": rule.method, "path": path, "operation": rule.name, "summary": summary, "allow": rule.allow.name}


def _harden_cookie(app: Quart) -> None:
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN=None,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )
