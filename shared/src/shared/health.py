"""/livez: the loop turns. /readyz: this service's own needs are met. /metrics: for Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import Blueprint, Request, Response, current_app, request

from shared.errors import Forbidden, Overloaded
from shared.observe import METRICS_TYPE, Metrics
from shared.openapi.problems import ProblemDocument
from shared.operations import PUBLIC, Limit, operation
from shared.responses import respond

Check = Callable[[], Awaitable[Any]]
Detail = Callable[[], Any]
Inside = Callable[[Request], bool]
PROBES = ("/livez", "/readyz", "/metrics")
"""What is answered also when the service takes on nothing else."""
PATIENCE = 1.0  # seconds for all checks
Checks = Annotated[dict[str, Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=20)]
"""By name: `ok`, or what kind of fault there is."""


class Alive(msgspec.Struct):
    status: Literal["alive"]


class Ready(msgspec.Struct):
    """`details` are told and decide nothing."""

    status: Literal["ready"]
    checks: Checks
    details: Annotated[dict[str, Any], Meta(max_length=20)] | UnsetType = UNSET


class NotReady(ProblemDocument, kw_only=True):
    """What is missing. Without `checks`, the service is stopping."""

    checks: Checks | UnsetType = UNSET


def health_blueprint(
    checks: Mapping[str, Check], metrics: Metrics | None, details: Mapping[str, Detail] | None = None, inside: Inside | None = None
) -> Blueprint:
    """Routes for probes. `checks` raise when something is not ready; they run at the same time. `details` are told and decide nothing.

    With `inside`, figures and details are told only to requests of which it is true.
    """
    health = Blueprint("health", __name__)

    @health.get("/livez")
    @operation(allow=PUBLIC, limit=Limit.NOTHING, responses={200: Alive})
    async def livez() -> Response:
        """Whether the process answers at all."""
        return respond({"status": "alive"})

    @health.get("/readyz")
    @operation(allow=PUBLIC, limit=Limit.NOTHING, responses={200: Ready}, problems={503: NotReady})
    async def readyz() -> Response:
        """Whether the service can do its work; 503 naming what is missing."""
        if getattr(current_app, "stopping", False):
            raise Overloaded("the service is stopping")
        results = await asyncio.gather(*(_result(check) for check in checks.values()))
        found = dict(zip(checks, results, strict=True))
        if any(result != "ok" for result in results):
            raise Overloaded("not ready", checks=found)
        document: dict[str, Any] = {"status": "ready", "checks": found}
        if details and (inside is None or inside(request)):
            document["details"] = {name: detail() for name, detail in details.items()}
        return respond(document)

    if metrics is not None:
        _add_figures(health, metrics, inside)
    return health


def _add_figures(health: Blueprint, metrics: Metrics, inside: Inside | None) -> None:
    @health.get("/metrics")
    @operation(
        allow=PUBLIC,
        limit=Limit.NOTHING,
        responses={200: bytes},
        response_types=("text/plain",),
        problems=() if inside is None else (403,),
    )
    async def scrape() -> Response:
        """Figures in Prometheus' text format."""
        if inside is not None and not inside(request):
            raise Forbidden("Figures are not told to this address.")
        return Response(metrics.text(), content_type=METRICS_TYPE)


async def _result(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), PATIENCE)
    except TimeoutError:
        return "no answer in time"
    except Exception as error:  # whatever it is, the service is not ready; the name says which kind, not what it holds
        return type(error).__name__
    return "ok"
