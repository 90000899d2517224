"""`GET /`: what the service is and where its endpoints are. `GET /openapi.json`: the same for programs. `GET /docs`: for people."""

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from quart import Blueprint, Quart, Response, current_app

from shared.json import encode
from shared.openapi.reading import POLICY, make_page
from shared.operations import PUBLIC, operation, operation_of
from shared.responses import respond

PATH = re.compile(r"<(?:[^:>]*:)?([^>]+)>")
HTML = "text/html; charset=utf-8"
Line = Annotated[str, Meta(min_length=1, max_length=400)]
Object = Annotated[dict[str, Any], Meta(max_length=10_000)]


class Endpoint(msgspec.Struct):
    """A method of a path, the operation that answers it, and who may call."""

    method: Line
    path: Line
    operation: Line
    summary: Annotated[str, Meta(max_length=400)]
    allow: Line


class Home(msgspec.Struct):
    """What a service is, and what it can be asked."""

    service: Line
    version: Line
    description: Annotated[str, Meta(max_length=400)]
    endpoints: Annotated[list[Endpoint], Meta(min_length=1, max_length=1000)]


class OpenApi(msgspec.Struct):
    """An OpenAPI document."""

    openapi: Annotated[str, Meta(pattern=r"^3\.1\.[0-9]+$", max_length=10)]
    info: Object
    paths: Object
    components: Object
    security: Annotated[list[Object], Meta(max_length=10)]


def home_blueprint(name: str, version: str, description: str, more: Sequence[Mapping[str, Any]] = (), *, docs: bool = True) -> Blueprint:
    """The routes; each document is made once, when it is first asked for. `more` endpoints are answered in front of Quart."""
    blueprint = Blueprint("service", __name__)

    @cache
    def home_document() -> bytes:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy's own way to its object
        listed = sorted([*endpoints(app), *more], key=lambda endpoint: (endpoint["path"], endpoint["method"]))
        return encode({"service": name, "version": version, "description": description, "endpoints": listed})

    @cache
    def openapi_document() -> bytes:
        return encode(current_app.extensions["openapi"]())

    @blueprint.get("/")
    @operation(allow=PUBLIC, responses={200: Home})
    async def home() -> Response:
        """The endpoints of this service."""
        return respond(home_document())

    @blueprint.get("/openapi.json")
    @operation(allow=PUBLIC, responses={200: OpenApi})
    async def openapi() -> Response:
        """The OpenAPI document of this service."""
        return respond(openapi_document())

    if docs:

        @cache
        def page() -> bytes:
            return make_page(current_app.extensions["openapi"]())

        @blueprint.get("/docs")
        @operation(allow=PUBLIC, responses={200: bytes}, response_types=("text/html",))
        async def read_docs() -> Response:
            """The OpenAPI document as a page to read."""
            return Response(page(), content_type=HTML, headers={"Content-Security-Policy": POLICY})

    return blueprint


def endpoints(app: Quart) -> list[dict[str, Any]]:
    """Every route, by path: method, path template, operation, summary, who may call."""
    listed = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        found = operation_of(view)
        if found is None:
            continue
        summary = (inspect.getdoc(view) or "").partition("\n")[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = PATH.sub(r"{\1}", rule.rule)
            listed.append({"method": method, "path": path, "operation": found.name, "summary": summary, "allow": found.allow.name})
    return listed
