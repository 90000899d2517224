"""How a service is put together: `create_service` makes a Quart app with everything that all services do the same way.

A complete service is `shared/src/shared/testing/notes.py`; `shared/tests/test_service.py` uses it.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache, partial
from math import ceil, inf
from typing import Any, cast

from quart import Blueprint, Quart, Request, Response, g
from quart import request as current_request
from quart.sessions import NullSession, SessionInterface
from quart.testing.app import TestApp
from werkzeug.routing import MapAdapter

from shared import VERSION, converters, problems
from shared.asgi import Connection
from shared.bodies import StrictRequest, UploadStream, check_coding, check_content_type, parse_body
from shared.config import ServiceSettings, SettingsError
from shared.context import timeline
from shared.db import Reader
from shared.door import Door
from shared.edge import Edge
from shared.errors import Forbidden, NotFound
from shared.exchange import exchange_of
from shared.health import PROBES, Check, Detail, Inside, health_blueprint
from shared.home import home_blueprint
from shared.identity import OPEN, Caller, KeyFault, Trust, Verifier, bearer
from shared.json import MsgspecProvider
from shared.observe import AccessLog, Metrics, logger
from shared.openapi import Contract, make_document
from shared.operations import JSON_TYPE, MERGE_PATCH, PUBLIC, Operation, Upload, operation_of
from shared.queries import NoParameters, read_query
from shared.shedding import Kind, Limiter

Identify = Callable[[Request], Caller]
Middleware = Callable[[Any], Any]  # takes an ASGI app, gives one
MakeDoor = Callable[[Callable[[str, str, int, float], None], Callable[[], bool], Container[str]], Door]


class NoSessions(SessionInterface):
    """Services keep no sessions, so nothing is built for them on each request."""

    def __init__(self) -> None:
        self._none = NullSession()

    async def open_session(self, app: Quart, request: Any) -> Any:
        return self._none

    def is_null_session(self, obj: object) -> bool:
        return True


class PatientTestApp(TestApp):
    """Quart's, with time to start and stop on a busy machine: a start migrates a database."""

    def __init__(self, app: Quart) -> None:
        super().__init__(app, startup_timeout=60, shutdown_timeout=60)


class Service(Quart):
    """Quart that runs operations: policy first, then query and body, then the view. Made by `create_service`."""

    request_class = StrictRequest
    asgi_http_class = Connection
    test_app_class = PatientTestApp
    json_provider_class = MsgspecProvider
    identify: Identify
    max_upload: int
    stopping = False
    patience = inf
    """Seconds in which a client may move no byte while it is its turn."""
    door: Door

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None, template_folder=None)
        converters.install(self.url_map)
        self._operations: dict[str, tuple[Any, Operation]] = {}
        self.kinds: dict[str, Kind] = dict.fromkeys(PROBES, "health")
        """By path, of the operations that are no ordinary reads or writes."""

    def create_url_adapter(self, request: Any) -> MapAdapter | None:
        """As Quart's, for a host of any name: no route of ours depends on it, and a strange Host header must not break one."""
        if request is None:
            return super().create_url_adapter(None)
        return MapAdapter(self.url_map, "", "", "", request.scheme, request.path, request.method)

    async def dispatch_request(self, request_context: Any = None) -> Any:
        """As Quart's, with the operation's policy and inputs."""
        request: Any = current_request if request_context is None else request_context.request
        found = None if request.routing_exception is not None else self._operations.get(request.url_rule.endpoint)
        if found is None or (request.method == "OPTIONS" and request.url_rule.provide_automatic_options):
            return await super().dispatch_request(request_context)
        view, operation = found
        exchange = exchange_of(request.scope)
        exchange.operation = operation.name
        if operation.budget is not None:
            budget = operation.budget if exchange.asked is None else min(operation.budget, exchange.asked)
            exchange.deadline = None if budget == float("inf") else exchange.started + budget
        if operation.waits:
            exchange.interrupt = self.is_stopping
        g.deadline = exchange.deadline
        if operation.allow is not PUBLIC:
            g.caller = caller = self.identify(request)
            exchange.subject = caller.subject
            if not operation.allow.allows(caller.role):
                raise Forbidden(f"this needs the role {operation.allow.role}, and the caller's is {caller.role}")
        arguments = dict(request.view_args)
        if operation.query is not None:
            arguments["query"] = read_query(operation.query, request.query_string)
        elif request.query_string:
            read_query(NoParameters, request.query_string)
        if operation.body is None:
            request.body.discard()
        else:
            arguments["body"] = await self._body(request, operation)
        timed = operation.timed and arguments["query"].as_of is not None
        answer = await (_as_of(view, arguments) if timed else view(**arguments))
        if operation.notices:
            answer.headers.update(operation.notices)
        return answer

    def is_stopping(self) -> bool:
        return self.stopping

    async def startup(self) -> None:
        """As Quart's; what failed is kept for the one line that says so (`shared.server`), unless something better was said already."""
        try:
            await super().startup()
        except Exception as error:
            self.extensions.setdefault("start_fault", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
            raise

    async def _body(self, request: Any, operation: Operation) -> Any:
        if operation.body_optional and "Content-Type" not in request.headers and not await request.body:
            return None
        media_type = check_content_type(request.headers.get("Content-Type"), operation.body_types)
        check_coding(request.headers.get("Content-Encoding"), operation.body_types)
        if operation.body is Upload:
            return UploadStream(media_type, request.body.__aiter__(), self.max_upload)
        return parse_body(operation.body, await request.body)

    def adopt_operations(self) -> None:
        """Look up every route's operation. RuntimeError when a route has none, or two share a name."""
        for rule in self.url_map.iter_rules():
            view = self.view_functions[rule.endpoint]
            operation = operation_of(view)
            if operation is None:
                raise RuntimeError(f"{rule.endpoint} has no policy: declare it with @operation")
            if not asyncio.iscoroutinefunction(view):
                raise RuntimeError(f"{rule.endpoint} must be an async function")
            if "PATCH" in (rule.methods or ()) and operation.body_types == (JSON_TYPE,):
                object.__setattr__(operation, "body_types", (MERGE_PATCH, JSON_TYPE))
            self._operations[rule.endpoint] = view, operation
            if operation.kind is not None:
                if rule.arguments:
                    raise RuntimeError(f"{rule.endpoint} is a {operation.kind}, so its path must be literal: it is told by it at the edge")
                self.kinds[rule.rule] = operation.kind
        names = [operation.name for _, operation in self._operations.values()]
        if len(names) != len(set(names)):
            raise RuntimeError("two operations have the same name: " + ", ".join(sorted({name for name in names if names.count(name) > 1})))


async def _as_of(view: Any, arguments: Mapping[str, Any]) -> Any:
    """The answer of a view for the instant that its query asks for; the view may be asked twice."""
    query = arguments["query"]
    answer, moment = await timeline().answer(query.as_of, getattr(query, "cursor", None), partial(_given, view, arguments))
    answer.headers.update({"X-As-Of": moment.at, "X-As-Of-Stable": moment.stable})
    if isinstance(answer, NotFound):
        raise answer
    return answer


async def _given(view: Any, arguments: Mapping[str, Any], reader: Reader) -> Any:
    """What a view answers by a reader; that nothing was there is an answer too."""
    g.reader = reader
    try:
        return await view(**arguments)
    except NotFound as absent:
        return absent


def create_service(
    name: str,
    settings: ServiceSettings,
    blueprints: Iterable[Blueprint],
    *,
    description: str = "",
    identify: Identify | None = None,
    trusts: Sequence[Trust] = (),
    checks: Mapping[str, Check] | None = None,
    details: Mapping[str, Detail] | None = None,
    inside: Inside | None = None,
    session_interface: SessionInterface | None = None,
    middleware: Middleware | None = None,
    endpoints: Sequence[Mapping[str, Any]] = (),
    contract: Contract | None = None,
    longest: float | None = None,
    limiter: Limiter | None = None,
    door: MakeDoor = Door,
    log: Any = None,
) -> Service:
    """The app of a service. `checks` are asked by /readyz (name → coroutine function that raises when not ready);
    `details` are functions whose values it shows beside them. With `inside`, these and /metrics are for requests of which it is true.

    Callers come from bearer assertions for the audience `name`, signed by a key of `settings.identity_keys` or of `trusts`;
    `identify` replaces that. `middleware` stands between the edge and Quart; `endpoints` are those that it answers, for `GET /`.
    `contract` is what the OpenAPI document says beyond the operations. `longest` is how many seconds a caller may ask for
    (default: `settings.request_timeout_ms`); `limiter` decides who is taken on, `door` who is not even looked at.
    Raises SettingsError when there are no keys and the service is not open, or when a stop would cut requests off.
    The app's logger is at `app.extensions["log"]`, its figures at `app.extensions["metrics"]`,
    and `app.extensions["openapi"]()` is its document.
    """
    _check_graceful(settings, longest or settings.request_timeout_ms / 1000)
    log, metrics = log or logger(name, settings.log_level), Metrics()
    app = Service(name)
    app.config.update(MAX_CONTENT_LENGTH=settings.max_body, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)
    app.session_interface = session_interface or NoSessions()  # type: ignore[assignment]  # Quart narrows it to its default
    app.max_upload, app.identify = settings.max_upload, identify or _identify_by(name, settings, trusts, log)
    document = cache(lambda: make_document(app, name, VERSION, description, contract))
    app.extensions.update(log=log, metrics=metrics, settings=settings, openapi=document)
    app.door = door(metrics.observe, app.is_stopping, PROBES)
    metrics.registry.register(app.door)
    if limiter is not None:
        metrics.registry.register(limiter)
    problems.install(app, log)
    for blueprint in (*blueprints, health_blueprint(checks or {}, metrics if settings.metrics else None, details, inside)):
        app.register_blueprint(blueprint)
    app.register_blueprint(home_blueprint(name, VERSION, description, endpoints, docs=settings.docs))
    app.adopt_operations()
    app.asgi_app = _edge(app, middleware, name, settings, limiter)  # type: ignore[method-assign]  # as Quart's documentation has it
    return app


def _edge(app: Service, middleware: Middleware | None, name: str, settings: ServiceSettings, limiter: Limiter | None) -> Edge:
    access_log = AccessLog(name) if settings.access_log else None
    if access_log is not None:
        app.after_serving(access_log.close)
    return Edge(
        middleware(app.asgi_app) if middleware else app.asgi_app,
        metrics=app.extensions["metrics"],
        log=app.extensions["log"],
        access_log=access_log,
        timeout=settings.request_timeout_ms / 1000,
        loopback_only=settings.open,
        stopping=app.is_stopping,
        limiter=limiter,
        kinds=app.kinds,
    )


def _check_graceful(settings: ServiceSettings, longest: float) -> None:
    least = ceil(longest) + 1
    if settings.graceful_timeout < least:
        raise SettingsError([f"graceful_timeout: must be at least {least}, a second more than the longest request may take"])


def _identify_by(name: str, settings: ServiceSettings, trusts: Sequence[Trust], log: Any) -> Identify:
    if settings.open:
        log.warning("open: every caller is taken for an editor, and only loopback addresses are answered")
        return lambda request: OPEN
    try:
        known = [Trust(settings.identity_issuer, settings.identity_keys), *trusts] if settings.identity_keys else list(trusts)
        verifier = Verifier(name, known)
    except KeyFault as error:
        raise SettingsError([f"identity_keys: {error}"]) from error
    if not known:
        raise SettingsError(
            [f"identity_keys: none are set; set {name.upper()}_IDENTITY_KEYS_FILE, or {name.upper()}_OPEN=true to answer anyone"]
        )
    verify = verifier.verify
    return lambda request: verify(bearer(exchange_of(cast("Any", request.scope)).headers.get(b"authorization")))


__all__ = ["Identify", "NoSessions", "Response", "Service", "create_service"]
